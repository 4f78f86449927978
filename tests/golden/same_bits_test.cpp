// The same bits on every CPU: vectors, scores, logits and generated tokens of the tiny models.
#include "same_bits.h"

namespace quern::test {
namespace {

// Logits over kept keys of both kinds and without, then tokens, the likeliest and drawn ones.
std::string hash_of_decoder(const KernelTable& table, const std::string& path, const std::vector<int32_t>& ids) {
  const std::shared_ptr<LoadedModel> model = on(table, path);
  Hash hash;
  for (const KvType type : {KvType::f16, KvType::i8})
    for (const auto& row : logits_in_chunks(model, ids, 7, type)) hash.add(row);
  for (const float temperature : {0.0f, 0.8f}) {
    Generator generator(model, {.threads = 2, .context = 48});
    Request request;
    request.prompt = ids;
    request.max_tokens = 8;
    request.sampling.temperature = temperature;
    request.sampling.seed = 5;
    generator.add(std::move(request));
    std::vector<Generated> out;
    while (generator.running() > 0) generator.step(out);
    for (const Generated& g : out) hash.add(g.token);
  }
  return hash.text();
}

const std::vector<std::string> kTexts = {"the quick fox", "cosine similarity of user 50 !", "not", "",
                                         "the fox jumps the quick user the fox jumps the quick user not"};

}  // namespace

namespace {

void check_encoders(const std::vector<const char*>& types) {
  for (const char* name :
       {"bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "t5", "modernbert", "nomic_bert", "gte"}) {
    for (const char* type : types) {
      ScratchFolder scratch;
      const std::string file = convert_to(scratch, type, decoder_folder(name));
      check_hash(std::string(name) + " " + type,
                 [&](const KernelTable& table) { return hash_of_vectors(table, file, kTexts); });
    }
  }
}

void check_decoders(const std::vector<const char*>& types) {
  for (const std::string& name : decoder_names()) {
    const std::vector<int32_t> ids = golden_ids(decoder_golden(name))[0];
    for (const char* type : types) {
      ScratchFolder scratch;
      const std::string file = convert_to(scratch, type, decoder_folder(name));
      check_hash(name + " " + type, [&](const KernelTable& table) { return hash_of_decoder(table, file, ids); });
    }
  }
}

}  // namespace

TEST_CASE("same bits: encoders and decoders in q8") {
  check_encoders({"q8"});
  check_decoders({"q8"});
}

TEST_CASE("same bits: encoders and decoders in q4 and f32", "[slow]") {
  check_encoders({"q4", "f32"});
  check_decoders({"q4", "f32"});
}

TEST_CASE("same bits: every type that can be written") {
  for (const WrittenType& type : written_types()) {
    ScratchFolder scratch;
    const std::string file = convert_to(scratch, type.name);
    check_hash(std::string("tiny-bert ") + type.name,
               [&](const KernelTable& table) { return hash_of_vectors(table, file, golden_texts()); });
  }
}

}  // namespace quern::test
