// Static embeddings, beside model2vec's and sentence-transformers' own vectors
// (tests/reference/make_static_embeddings.py).
#include <catch2/catch.hpp>

#include "error.h"
#include "tiny_decoders.h"

namespace quern::test {
namespace {

std::string static_folder(const std::string& name) {
  return QUERN_TEST_DIR "/golden/static/" + name;
}

const nlohmann::json& golden_static() {
  static const nlohmann::json all =
      nlohmann::json::parse(read_text_file(QUERN_TEST_DIR "/golden/static/golden.json", 1 << 20));
  return all;
}

bool all_zero(const std::vector<float>& row) {
  return std::all_of(row.begin(), row.end(), [](float v) { return v == 0; });
}

// The largest difference, in parts of the largest value; texts without tokens are zeros in both.
void check_rows(const Rows& found, const Rows& expected, double limit) {
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    INFO("text " << i);
    REQUIRE(found[i].size() == expected[i].size());
    if (all_zero(expected[i])) {
      CHECK(all_zero(found[i]));
      continue;
    }
    float largest = 0;
    for (const float v : expected[i]) largest = std::max(largest, std::abs(v));
    for (size_t k = 0; k < found[i].size(); ++k) CHECK(std::abs(found[i][k] - expected[i][k]) <= limit * largest);
  }
}

}  // namespace

TEST_CASE("static embeddings: vectors of the libraries that made them, from the folder and converted") {
  const std::vector<std::string> texts = golden_static().at("texts").get<std::vector<std::string>>();
  for (const auto& [name, rows] : golden_static().at("vectors").items()) {
    INFO(name);
    const Rows expected = rows.get<Rows>();
    Embedder folder(static_folder(name));
    // model2vec adds up halves as halves where its table has them.
    check_rows(folder(texts), expected, name == "model2vec_unigram" ? 2e-3 : 1e-6);
    ScratchFolder scratch;
    Embedder f32(convert_to(scratch, "f32", static_folder(name)));
    CHECK(f32(texts) == folder(texts));
    Embedder q8(convert_to(scratch, "q8", static_folder(name)), 2);
    const Rows found = q8(texts);
    for (size_t i = 0; i < texts.size(); ++i)
      CHECK((all_zero(expected[i]) ? all_zero(found[i]) : cosine(found[i], expected[i]) > 0.9995));
  }
}

TEST_CASE("static embeddings: how long texts are cut, and unknown tokens left out") {
  CHECK(Embedder(static_folder("model2vec")).model->max_length == 512);
  CHECK(Embedder(static_folder("model2vec_shared")).model->max_length == 20);
  CHECK(Embedder(static_folder("model2vec_unigram")).model->max_length == 1 << 15);
  CHECK(Embedder(static_folder("sentence_transformers")).model->max_length == 1 << 15);
  Embedder drops(static_folder("model2vec")), keeps(static_folder("sentence_transformers"));
  drops({"☃ the"});
  CHECK(drops.stats.tokens == 1);
  keeps({"☃ the"});
  CHECK(keeps.stats.tokens == 2);
}

TEST_CASE("static embeddings: model2vec's folder without modules.json, and none of model2vec's") {
  const FolderCopy copy(static_folder("model2vec"));
  const Rows expected = Embedder(static_folder("model2vec"))({"the fox"});
  std::filesystem::remove(copy.path() + "/modules.json");
  CHECK_THROWS_WITH(load_model(copy.path()), Catch::Contains("'model_type' is missing"));
  copy.scratch.write("config.json", R"({"model_type": "model2vec", "normalize": true})");
  CHECK(Embedder(copy.path())({"the fox"}) == expected);
  copy.scratch.write("config.json", R"({"model_type": "model2vec", "max_length": 0})");
  CHECK_THROWS_WITH(load_model(copy.path()), Catch::Contains("'max_length' is not a whole number"));
}

TEST_CASE("static embeddings: tables that contradict themselves are refused by name") {
  const std::string folder = static_folder("model2vec_shared");
  const FolderCopy rows(folder), scales(folder), table(folder);
  rows.edit_weights([](HfTensor& t) {
    const int64_t beyond = 40;
    if (t.name == "mapping") t.data.replace(8, 8, reinterpret_cast<const char*>(&beyond), 8);
  });
  CHECK_THROWS_WITH(load_model(rows.path()),
                    Catch::Contains("mapping") && Catch::Contains("rows 0 to 39") && Catch::Contains("40 for token 1"));
  scales.edit_weights([](HfTensor& t) {
    if (t.name != "weights") return;
    t.shape[0] -= 1;
    t.data.resize(t.data.size() - 4);
  });
  CHECK_THROWS_WITH(load_model(scales.path()), Catch::Contains("weights: expected shape"));
  table.edit_weights([](HfTensor& t) {
    if (t.name == "embeddings") t.name = "vectors";
  });
  CHECK_THROWS_WITH(load_model(table.path()), Catch::Contains("no matrix \"embedding.weight\" or \"embeddings\""));
}

}  // namespace quern::test
