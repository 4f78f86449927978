// Hugging Face folders as they come: the spellings and layouts that load, and what is said of those that do not.
// Every folder is the tiny BERT, rewritten.
#include <catch2/catch.hpp>

#include "../golden/tiny_bert.h"

namespace quern::test {
namespace {

using Catch::Contains;

double difference_of(const ScratchFolder& folder) {
  const double direct = difference(Embedder(folder.path())(golden_texts()), golden_vectors());
  ScratchFolder files;
  const double converted =
      difference(Embedder(convert_to(files, "f32", folder.path()))(golden_texts()), golden_vectors());
  return std::max(direct, converted);
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  if (const size_t at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
}

void edit_json(const ScratchFolder& folder, const std::string& file, const std::function<void(nlohmann::json&)>& edit) {
  auto json = nlohmann::json::parse(read_text_file(folder.file(file), 1 << 24));
  edit(json);
  folder.write(file, json.dump());
}

Error load_error(const ScratchFolder& folder) {
  return error_of([&] { load_model(folder.path()); });
}

// The fixture with one tensor changed.
Error error_with(const std::string& name, const std::function<void(HfTensor&)>& change) {
  ScratchFolder folder;
  bool found = false;
  write_variant(folder, [&](HfTensor& t) {
    if (t.name != name) return;
    found = true;
    change(t);
  });
  REQUIRE(found);
  return load_error(folder);
}

}  // namespace

TEST_CASE("folder: every float dtype, and the dtypes mixed") {
  for (const char* dtype : {"F32", "F16"}) {
    ScratchFolder folder;
    write_variant(folder, [&](HfTensor& t) { change_dtype(t, dtype); });
    CHECK(difference_of(folder) < 2e-6);
  }
  ScratchFolder bf16;
  write_variant(bf16, [](HfTensor& t) { change_dtype(t, "BF16"); });
  Embedder model(bf16.path());
  CHECK(model.model->type == "bf16");
  CHECK(cosines(model(golden_texts()), golden_vectors()).worst > 0.9996);

  ScratchFolder mixed;  // q, k and v of different dtypes are one product here
  write_variant(mixed, [](HfTensor& t) {
    if (t.name.find("key") != std::string::npos || t.name.find("embeddings") != std::string::npos)
      change_dtype(t, "F32");
  });
  CHECK(difference_of(mixed) < 2e-6);
}

TEST_CASE("folder: the spellings of names") {
  ScratchFolder prefix;
  write_variant(prefix, [](HfTensor& t) { t.name = "bert." + t.name; });
  CHECK(difference_of(prefix) < 2e-6);

  ScratchFolder old;  // as TensorFlow had them
  write_variant(old, [](HfTensor& t) {
    replace(t.name, "LayerNorm.weight", "LayerNorm.gamma");
    replace(t.name, "LayerNorm.bias", "LayerNorm.beta");
  });
  CHECK(difference_of(old) < 2e-6);
}

TEST_CASE("folder: tensors that the model does not use are ignored") {
  ScratchFolder folder;
  copy_settings(folder);
  std::vector<HfTensor> tensors = tiny_tensors();
  tensors.insert(tensors.begin(), {"embeddings.position_ids", "I64", {1, 64}, std::string(512, '\1')});
  tensors.push_back({"pooler.dense.weight", "F32", {64, 64}, std::string(64 * 64 * 4, '\1')});
  tensors.push_back({"pooler.dense.bias", "F32", {64}, std::string(64 * 4, '\1')});
  folder.write("model.safetensors", safetensors_bytes(tensors));
  CHECK(difference_of(folder) < 2e-6);
}

TEST_CASE("folder: data at odd addresses") {
  ScratchFolder folder;
  copy_settings(folder);
  std::vector<HfTensor> tensors = tiny_tensors();
  for (HfTensor& t : tensors) change_dtype(t, "F32");
  tensors.insert(tensors.begin(), {"odd", "U8", {1}, "x"});
  folder.write("model.safetensors", safetensors_bytes(tensors));
  CHECK(difference_of(folder) < 2e-6);
}

TEST_CASE("folder: shards") {
  ScratchFolder folder;
  copy_settings(folder);
  const std::vector<HfTensor> tensors = tiny_tensors();
  nlohmann::json index = {{"metadata", {{"total_size", 0}}}, {"weight_map", nlohmann::json::object()}};
  std::vector<HfTensor> shards[3];
  for (size_t i = 0; i < tensors.size(); ++i) {
    shards[i % 3].push_back(tensors[i]);
    index["weight_map"][tensors[i].name] = "model-0000" + std::to_string(i % 3 + 1) + "-of-00003.safetensors";
  }
  for (size_t s = 0; s < 3; ++s)
    folder.write("model-0000" + std::to_string(s + 1) + "-of-00003.safetensors", safetensors_bytes(shards[s]));
  folder.write("model.safetensors.index.json", index.dump());
  CHECK(difference_of(folder) < 2e-6);

  std::filesystem::remove(folder.file("model-00002-of-00003.safetensors"));
  const Error e = load_error(folder);
  CHECK(e.status != Status::ok);
  CHECK_THAT(e.message, Contains("model-00002-of-00003.safetensors"));
}

TEST_CASE("folder: a plain transformers folder pools by the mean") {
  ScratchFolder folder;
  write_variant(folder, [](HfTensor&) {});
  for (const char* name :
       {"modules.json", "1_Pooling", "2_Normalize", "config_sentence_transformers.json", "sentence_bert_config.json"})
    std::filesystem::remove_all(folder.file(name));
  const Rows expected = golden().at("pooling").at("mean").get<Rows>();
  CHECK(cosines(Embedder(folder.path())(golden_texts()), expected).worst > 0.999999);
}

TEST_CASE("folder: a tensor is missing or wrong") {
  const std::string query = "encoder.layer.1.attention.self.query.weight";
  Error e = error_with(query, [](HfTensor& t) { t.name = "other"; });
  CHECK(e.status == Status::bad_file);
  CHECK_THAT(e.message, Contains("model.safetensors") && Contains(query));

  e = error_with(query, [](HfTensor& t) { t.shape = {32, 128}; });
  CHECK(e.status == Status::bad_file);
  CHECK_THAT(e.message,
             Contains("model.safetensors") && Contains(query) && Contains("[64, 64]") && Contains("[32, 128]"));

  e = error_with(query, [](HfTensor& t) { t.shape = {4096}; });
  CHECK(e.status == Status::bad_file);
  e = error_with("embeddings.word_embeddings.weight", [](HfTensor& t) { t.shape = {633, 8, 8}; });
  CHECK(e.status == Status::bad_file);
  e = error_with("embeddings.position_embeddings.weight", [](HfTensor& t) { t.shape = {}, t.data.resize(2); });
  CHECK(e.status == Status::bad_file);

  const std::string norm = "encoder.layer.2.output.LayerNorm.weight";
  e = error_with(norm, [](HfTensor& t) { t.shape = {32}, t.data.resize(64); });
  CHECK(e.status == Status::bad_file);
  CHECK_THAT(e.message, Contains(norm) && Contains("[64]") && Contains("[32]"));
  e = error_with(norm, [](HfTensor& t) { t.name = "encoder.layer.2.output.LayerNorm.scale"; });
  CHECK_THAT(e.message, Contains(norm));

  e = error_with(query, [](HfTensor& t) { t.dtype = "I16"; });
  CHECK(e.status == Status::unsupported);
  CHECK_THAT(e.message, Contains(query) && Contains("I16") && Contains("BF16"));
}

TEST_CASE("folder: files that are missing") {
  const struct {
    const char* file;
    Status status;
  } cases[] = {{"config.json", Status::not_found},
               {"tokenizer.json", Status::not_found},
               {"model.safetensors", Status::not_found},
               {"1_Pooling/config.json", Status::not_found}};
  for (const auto& c : cases) {
    ScratchFolder folder;
    write_variant(folder, [](HfTensor&) {});
    std::filesystem::remove(folder.file(c.file));
    const Error e = load_error(folder);
    INFO(c.file << ": " << e.message);
    CHECK(e.status == c.status);
    CHECK_THAT(e.message, Contains(c.file) && Contains(folder.path()));
  }

  ScratchFolder pickle;
  copy_settings(pickle);
  pickle.write("pytorch_model.bin", "PK");
  Error e = load_error(pickle);
  CHECK(e.status == Status::unsupported);
  CHECK_THAT(e.message, Contains("pytorch_model.bin") && Contains("safetensors"));

  ScratchFolder both;  // nobody needs the pickle here
  write_variant(both, [](HfTensor&) {});
  both.write("pytorch_model.bin", "PK");
  CHECK(load_error(both).status == Status::ok);

  ScratchFolder empty;
  CHECK(load_error(empty).status == Status::not_found);
  e = error_of([&] { load_model(empty.file("nothing")); });
  CHECK(e.status == Status::not_found);
  CHECK_THAT(e.message, Contains("nothing"));
}

TEST_CASE("folder: config.json contradicts") {
  const struct {
    const char* key;
    nlohmann::json value;
    Status status;
    const char* says;
  } cases[] = {
      {"num_attention_heads", 5, Status::bad_file, "5"},
      {"num_attention_heads", 0, Status::bad_file, "num_attention_heads"},
      {"hidden_size", 128, Status::bad_file, "128"},
      {"hidden_size", -64, Status::bad_file, "hidden_size"},
      {"hidden_size", "64", Status::bad_file, "hidden_size"},
      {"hidden_size", nullptr, Status::bad_file, "hidden_size"},
      {"hidden_size", 1e300, Status::bad_file, "hidden_size"},
      {"intermediate_size", 97, Status::bad_file, "97"},
      {"num_hidden_layers", 4, Status::bad_file, "encoder.layer.3."},
      {"num_hidden_layers", 1000000000, Status::bad_file, "num_hidden_layers"},
      {"vocab_size", 700, Status::bad_file, "700"},
      {"vocab_size", 600, Status::bad_file, "600"},
      {"type_vocab_size", 3, Status::bad_file, "[3, 64]"},
      {"layer_norm_eps", "small", Status::bad_file, "layer_norm_eps"},
      {"hidden_act", "mish", Status::unsupported, "mish"},
      {"model_type", "gpt2", Status::unsupported, "gpt2"},
      {"model_type", nullptr, Status::bad_file, "model_type"},
  };
  for (const auto& c : cases) {
    ScratchFolder folder;
    write_variant(folder, [](HfTensor&) {});
    edit_json(folder, "config.json", [&](nlohmann::json& j) { j[c.key] = c.value; });
    const Error e = load_error(folder);
    INFO(c.key << " " << c.value.dump() << ": " << e.message);
    CHECK(e.status == c.status);
    CHECK_THAT(e.message, Contains(c.says) && Contains(folder.path()));
  }
}

TEST_CASE("folder: positions below max_length bound it") {
  ScratchFolder folder;
  write_variant(folder, [](HfTensor& t) {
    if (t.name == "embeddings.position_embeddings.weight") t.shape = {16, 64}, t.data.resize(16 * 64 * 2);
  });
  Embedder model(folder.path());
  CHECK(model.model->max_length == 16);
  const std::string long_text = golden_texts().back();
  model({long_text});
  CHECK(model.stats.tokens == 16);
}

TEST_CASE("folder: a tokenizer with more ids than the table has rows") {
  ScratchFolder folder;
  write_variant(folder, [](HfTensor& t) {
    if (t.name == "embeddings.word_embeddings.weight") t.shape = {600, 64}, t.data.resize(600 * 64 * 2);
  });
  edit_json(folder, "config.json", [](nlohmann::json& j) { j["vocab_size"] = 600; });
  const Error e = load_error(folder);
  CHECK(e.status == Status::bad_file);
  CHECK_THAT(e.message, Contains("632") && Contains("600"));
}

TEST_CASE("folder: an added token behind the table's rows is refused where a text has it") {
  ScratchFolder folder;
  write_variant(folder, [](HfTensor&) {});
  edit_json(folder, "tokenizer.json", [](nlohmann::json& j) {
    nlohmann::json token = j["added_tokens"][0];
    token["content"] = "<image_soft_token>";
    token["special"] = true;
    token["id"] = 633;
    j["added_tokens"].push_back(token);
  });
  Embedder model(folder.path());
  model({"the quick fox", "costs"});
  CHECK(model.stats.texts == 2);
  const auto refused = error_of([&] { model({"the quick fox", "an <image_soft_token> here"}); });
  CHECK(refused.status == Status::bad_argument);
  CHECK_THAT(refused.message, Contains("text 2") && Contains("<image_soft_token>"));
}

TEST_CASE("folder: broken JSON names its file") {
  for (const char* file : {"config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json",
                           "sentence_bert_config.json", "config_sentence_transformers.json", "tokenizer_config.json"}) {
    for (const char* text : {"", "{", "[]", "{\"a\": 1}x", "\xff"}) {
      ScratchFolder folder;
      write_variant(folder, [](HfTensor&) {});
      folder.write(file, text);
      const Error e = load_error(folder);
      INFO(file << " = " << text << ": " << e.message);
      CHECK(e.status == Status::bad_file);
      CHECK_THAT(e.message, Contains(file));
    }
  }
}

}  // namespace quern::test
