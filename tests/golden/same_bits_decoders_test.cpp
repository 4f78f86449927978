// The same bits on every CPU: logits and generated tokens of the tiny decoders.
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

// Few where an emulator or a sanitizer makes converting one take a minute: these two use all kernels that any uses.
const std::vector<std::string> few = {"llama", "gemma3"};

void check_decoders(const std::vector<std::string>& names, const std::vector<const char*>& types) {
  for (const std::string& name : names) {
    const std::vector<int32_t> ids = golden_ids(decoder_golden(name))[0];
    for (const char* type : types) {
      ScratchFolder scratch;
      const std::string file = convert_to(scratch, type, decoder_folder(name));
      check_hash(name + " " + type, [&](const KernelTable& table) { return hash_of_decoder(table, file, ids); });
    }
  }
}

// A fixture's ffn_down gets `wide` inputs: its own, again and again.
void widen(const DecoderCopy& copy, size_t wide) {
  copy.edit_config([&](nlohmann::json& config) { config["intermediate_size"] = wide; });
  copy.edit_weights([&](HfTensor& t) {
    const bool down = t.name.find("mlp.down_proj") != std::string::npos;
    if (!down && t.name.find("mlp.") == std::string::npos) return;
    const size_t narrow = static_cast<size_t>(t.shape[down ? 1 : 0]), rows = down ? static_cast<size_t>(t.shape[0]) : 1,
                 bytes = t.data.size() / (rows * narrow);
    std::string out;
    for (size_t r = 0; r < rows; ++r)
      for (size_t k = 0; k < wide; ++k) out += t.data.substr((r * narrow + k % narrow) * bytes, bytes);
    t.shape[down ? 1 : 0] = static_cast<int64_t>(wide);
    t.data = out;
  });
}

}  // namespace

TEST_CASE("same bits: a decoder whose ffn_down comes in groups") {
  const DecoderCopy folder("llama");
  widen(folder, 600);
  const std::vector<int32_t> ids = golden_ids(decoder_golden("llama"))[1];
  ScratchFolder scratch;
  const std::string file = convert_to(scratch, "q8", folder.path());
  const std::shared_ptr<const LoadedModel> model = load_model(file), source = load_model(folder.path());
  const std::string bytes = read_text_file(file, 1 << 24);
  CHECK(bytes.find("blk.0.ffn_down.q8_g256.scale") != std::string::npos);
  CHECK(bytes.find("blk.0.attn_qkv.q8.scale") != std::string::npos);
  const auto found = logits_in_chunks(model, ids, 7, KvType::f16),
             expected = logits_in_chunks(source, ids, 7, KvType::f16);
  for (size_t t = 0; t < found.size(); ++t) CHECK(cosine(found[t], expected[t]) > 0.99);  // as decoders_test asks of q8
  check_hash("llama widened q8", [&](const KernelTable& table) { return hash_of_decoder(table, file, ids); });
}

TEST_CASE("same bits: two decoders in q8") {
  check_decoders(few, {"q8"});
}

TEST_CASE("same bits: the other decoders in q8, all in q4 and f32", "[slow]") {
  std::vector<std::string> others = decoder_names();
  std::erase_if(others, [](const std::string& name) { return std::find(few.begin(), few.end(), name) != few.end(); });
  check_decoders(others, {"q8"});
  check_decoders(decoder_names(), {"q4", "f32"});
}

}  // namespace quern::test
