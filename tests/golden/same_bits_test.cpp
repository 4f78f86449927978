// The same bits on every CPU: vectors, scores, logits and generated tokens under every table that can run here, beside
// hashes that are committed (same_bits.json), so that other CPUs and emulators are held to them too. A change of the
// arithmetic changes them: a failure prints what was found.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>

#include "../kernel/tables.h"
#include "host_device.h"
#include "io/sha256.h"
#include "tiny_decoders.h"

namespace quern::test {
namespace {

const nlohmann::json& committed() {
  static const nlohmann::json all =
      nlohmann::json::parse(read_text_file(QUERN_TEST_DIR "/golden/same_bits.json", 1 << 20));
  return all;
}

class Hash {
 public:
  void add(std::span<const float> values) { sum_.update(values.data(), values.size_bytes()); }
  void add(int32_t value) { sum_.update(&value, sizeof(value)); }
  std::string text() { return sum_.hex().substr(0, 16); }

 private:
  Sha256 sum_;
};

std::shared_ptr<LoadedModel> on(const KernelTable& table, const std::string& path) {
  std::shared_ptr<LoadedModel> model = load_model(path);
  model->device = std::make_shared<HostDevice>(table);
  return model;
}

std::string hash_of_vectors(const KernelTable& table, const std::string& path, const std::vector<std::string>& texts) {
  Embedder embed(on(table, path), 2);
  Hash hash;
  for (const auto& row : embed(texts)) hash.add(row);
  return hash.text();
}

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

void check(const std::string& name, const std::function<std::string(const KernelTable&)>& hash) {
  const std::string expected = committed().value(name, "missing");
  for (const KernelTable* table : tested_kernels()) {
    INFO(name << ", " << table->name);
    CHECK(hash(*table) == expected);
  }
}

const std::vector<std::string> kTexts = {"the quick fox", "cosine similarity of user 50 !", "not", "",
                                         "the fox jumps the quick user the fox jumps the quick user not"};

}  // namespace

TEST_CASE("same bits: encoders") {
  for (const char* name :
       {"bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "t5", "modernbert", "nomic_bert", "gte"}) {
    for (const char* type : {"q8", "q4", "f32"}) {
      ScratchFolder scratch;
      const std::string file = convert_to(scratch, type, decoder_folder(name));
      check(std::string(name) + " " + type,
            [&](const KernelTable& table) { return hash_of_vectors(table, file, kTexts); });
    }
  }
}

TEST_CASE("same bits: every type that can be written") {
  for (const TypeInfo* type : all_types()) {
    if (!type->pack) continue;
    ScratchFolder scratch;
    const std::string file = convert_to(scratch, type->name);
    check(std::string("tiny-bert ") + type->name,
          [&](const KernelTable& table) { return hash_of_vectors(table, file, golden_texts()); });
  }
}

TEST_CASE("same bits: decoders") {
  for (const std::string& name : decoder_names()) {
    const std::vector<int32_t> ids = golden_ids(decoder_golden(name))[0];
    for (const char* type : {"q8", "q4", "f32"}) {
      ScratchFolder scratch;
      const std::string file = convert_to(scratch, type, decoder_folder(name));
      check(name + " " + type, [&](const KernelTable& table) { return hash_of_decoder(table, file, ids); });
    }
  }
}

// QUERN_MINILM: all-MiniLM-L6-v2 as q8, made by quern convert on any CPU. Skipped where it is not there.
TEST_CASE("same bits: all-MiniLM-L6-v2", "[real]") {
  const char* file = std::getenv("QUERN_MINILM");
  if (!file || !*file) {
    WARN("skipped: QUERN_MINILM names no model file");
    return;
  }
  check("file of all-MiniLM-L6-v2 q8", [&](const KernelTable&) { return load_model(file)->fingerprint.substr(0, 16); });
  check("all-MiniLM-L6-v2 q8", [&](const KernelTable& table) {
    return hash_of_vectors(table, file, {"A hand mill grinds grain.", "quern", "Zwei Texte, eine Zahl: 42!"});
  });
}

}  // namespace quern::test
