// Late interaction, beside PyLate's and sentence-transformers' own vectors and scores
// (tests/reference/make_late_interaction.py).
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>

#include "error.h"
#include "similarity.h"
#include "tiny_decoders.h"

namespace quern::test {
namespace {

nlohmann::json late_golden(const std::string& name) {
  return nlohmann::json::parse(read_text_file(QUERN_TEST_DIR "/golden/late/" + name + "/golden.json", 1 << 20));
}

// The tiny model with the library's files over it.
struct LateFolder : FolderCopy {
  explicit LateFolder(const std::string& name)
      : FolderCopy(decoder_folder(late_golden(name).at("base").get<std::string>())) {
    namespace fs = std::filesystem;
    const fs::path from = QUERN_TEST_DIR "/golden/late/" + name;
    for (const auto& entry : fs::recursive_directory_iterator(from)) {
      const fs::path to = fs::path(path()) / fs::relative(entry.path(), from);
      if (entry.is_directory())
        fs::create_directories(to);
      else
        fs::copy_file(entry.path(), to, fs::copy_options::overwrite_existing);
    }
  }
};

std::vector<Rows> token_rows(Embedder& embedder, const std::vector<std::string>& texts, const std::string& input_type,
                             double pool_factor = 0) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  EmbedOptions options;
  options.input_type = input_type;
  options.pool_factor = pool_factor;
  EmbedStats stats;
  const size_t width = static_cast<size_t>(embedder.model->pipeline.multi_vector->width);
  std::vector<Rows> all;
  for (const Encoded& text : embedder.session.encode(views, options, {.multi_vector = true}, stats)) {
    Rows& rows = all.emplace_back();
    for (auto at = text.multi_vector.begin(); at != text.multi_vector.end(); at += static_cast<ptrdiff_t>(width))
      rows.emplace_back(at, at + static_cast<ptrdiff_t>(width));
  }
  return all;
}

// The order of pooled rows is each library's own.
Rows sorted(Rows rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<float> reranked(Embedder& embedder, const std::string& query, const std::vector<std::string>& texts) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  std::vector<float> scores(texts.size());
  EmbedStats stats;
  embedder.session.rerank(query, views, {}, false, scores, stats);
  return scores;
}

const std::vector<std::string> late_names = {"pylate",        "pylate_seen",   "pylate_plain",
                                             "min_expansion", "token_pooling", "stanford"};

}  // namespace

TEST_CASE("late interaction: vectors and scores of the libraries that made them, from folders and converted") {
  for (const std::string& name : late_names) {
    INFO(name);
    const nlohmann::json golden = late_golden(name);
    const LateFolder folder(name);
    const auto queries = golden.at("queries").get<std::vector<std::string>>();
    const auto documents = golden.at("documents").get<std::vector<std::string>>();
    const auto of_queries = golden.at("of_queries").get<std::vector<Rows>>();
    const auto of_documents = golden.at("of_documents").get<std::vector<Rows>>();
    Embedder embedder(folder.path());
    const std::vector<Rows> asked = token_rows(embedder, queries, "query");
    const std::vector<Rows> found = token_rows(embedder, documents, "document");
    for (size_t i = 0; i < queries.size(); ++i) CHECK(difference(asked[i], of_queries[i]) < 2e-6);
    for (size_t i = 0; i < documents.size(); ++i) CHECK(difference(sorted(found[i]), sorted(of_documents[i])) < 2e-6);
    for (size_t q = 0; q < queries.size(); ++q) {
      const std::vector<float> scores = reranked(embedder, queries[q], documents);
      for (size_t d = 0; d < documents.size(); ++d)
        CHECK(std::abs(scores[d] - golden.at("scores")[q][d].get<float>()) < 1e-5f);
    }
    const ScratchFolder scratch;
    Embedder converted(convert_to(scratch, "f32", folder.path()), 2);
    CHECK(token_rows(converted, queries, "query") == asked);
    CHECK(token_rows(converted, documents, "document") == found);
    CHECK(converted.model->prompts == embedder.model->prompts);
  }
}

TEST_CASE("late interaction: every weight type scores pairs as f32 does") {
  for (const std::string& name : std::vector<std::string>{"pylate", "min_expansion"}) {
    const LateFolder folder(name);
    const nlohmann::json golden = late_golden(name);
    const auto documents = golden.at("documents").get<std::vector<std::string>>();
    const std::string query = golden.at("queries")[0];
    Embedder exact(folder.path());
    const std::vector<float> expected = reranked(exact, query, documents);
    for (const char* type : {"f16", "q8", "q8_fine", "q5", "q4", "q8_0"}) {
      INFO(name << " " << type);
      const ScratchFolder scratch;
      Embedder embedder(convert_to(scratch, type, folder.path()));
      const std::vector<float> scores = reranked(embedder, query, documents);
      for (size_t d = 0; d < scores.size(); ++d) CHECK(std::abs(scores[d] - expected[d]) < 0.25f * expected[d]);
    }
  }
}

TEST_CASE("late interaction: what a text gets depends on no other text, nor on threads") {
  for (const std::string& name : std::vector<std::string>{"pylate", "min_expansion"}) {
    const LateFolder folder(name);
    std::vector<std::string> texts;
    for (int i = 0; i < 40; ++i) texts.push_back("quick fox" + std::string(static_cast<size_t>(i % 7), '!') + " user");
    Embedder one(folder.path()), three(folder.path(), 3);
    const std::vector<Rows> all = token_rows(three, texts, "query");
    for (size_t i = 0; i < texts.size(); ++i) CHECK(token_rows(one, {texts[i]}, "query")[0] == all[i]);
  }
}

TEST_CASE("late interaction: tokens pooled by a call, by the model, and not at all") {
  const LateFolder folder("token_pooling");
  const nlohmann::json golden = late_golden("token_pooling");
  const auto documents = golden.at("documents").get<std::vector<std::string>>();
  Embedder embedder(folder.path());
  const auto unpooled = golden.at("unpooled").get<std::vector<Rows>>();
  const std::vector<Rows> all = token_rows(embedder, documents, "document", 1);
  for (size_t i = 0; i < documents.size(); ++i) CHECK(difference(all[i], unpooled[i]) < 2e-6);
  CHECK(token_rows(embedder, documents, "document", 1e6)[2].size() == 2);  // the first token, and the rest as one
  const auto refuse = [&](double factor) { token_rows(embedder, documents, "document", factor); };
  CHECK_THROWS_WITH(refuse(0.5), Catch::Contains("pool_factor: expected 1 to 1048576"));
  CHECK_THROWS_WITH(refuse(NAN), Catch::Contains("pool_factor"));
}

TEST_CASE("late interaction: token vectors as bytes and bits give nearly the same order") {
  const LateFolder folder("pylate");
  Embedder embedder(folder.path());
  const Rows query = token_rows(embedder, {"quick fox"}, "query")[0];
  const Rows rows = token_rows(embedder, {"the quick fox compared sentences"}, "document")[0];
  std::vector<float> queries, floats, ranges(16);
  for (const auto& row : query) queries.insert(queries.end(), row.begin(), row.end());
  for (const auto& row : rows) floats.insert(floats.end(), row.begin(), row.end());
  std::fill_n(ranges.begin(), 8, -1.0f);
  std::fill_n(ranges.begin() + 8, 8, 1.0f);
  std::vector<int8_t> codes;
  for (const float v : floats) codes.push_back(static_cast<int8_t>(std::lround(v * 127.5f - 0.5f)));
  std::vector<uint8_t> bits(rows.size(), 0);
  for (size_t i = 0; i < floats.size(); ++i) bits[i / 8] |= static_cast<uint8_t>((floats[i] > 0) << (7 - i % 8));
  const float exact = max_similarity({.data = floats.data(), .n = rows.size(), .width = 8}, {.queries = queries}, true);
  const float bytes = max_similarity(
      {.data = codes.data(), .type = ValueType::int8, .n = rows.size(), .width = 8, .ranges = ranges.data()},
      {.queries = queries}, true);
  const float of_bits = max_similarity({.data = bits.data(), .type = ValueType::ubinary, .n = rows.size(), .width = 8},
                                       {.queries = queries}, true);
  CHECK(std::abs(bytes - exact) < 0.02f);
  CHECK(of_bits > 0.2f);
  CHECK(of_bits <= 1);
  CHECK(max_similarity({.data = nullptr, .n = 0, .width = 8}, {.queries = queries}, false) == 0);
}

TEST_CASE("late interaction: settings that are wrong are refused by name") {
  const auto refuses = [](const std::string& name, const char* file, const std::string& from, const std::string& to,
                          const char* says) {
    const LateFolder folder(name);
    std::string text = read_text_file(folder.path() + "/" + file, 1 << 20);
    REQUIRE(text.find(from) != std::string::npos);
    text.replace(text.find(from), from.size(), to);
    folder.scratch.write(file, text);
    INFO(text);
    CHECK_THROWS_WITH(load_model(folder.path()), Catch::Contains(says));
  };
  const char* own = "sentence_bert_config.json";
  refuses("min_expansion", own, "\"min\"", "\"max\"", "a strategy that is fixed or min: 'max'");
  refuses("min_expansion", own, "\"token\": null", "\"token\": \"[NONE]\"", "the token '[NONE]'");
  refuses("min_expansion", own, "\"length\": 12", "\"length\": 0", "'length' is not a whole number");
  refuses("min_expansion", own, "\"query_length\": 40", "\"query_length\": 4", "at least the length");
  refuses("min_expansion", "1_Dense/config.json", "32", "48", "expected shape [12, 48], found [12, 32]");
  refuses("min_expansion", "1_Dense/config.json", "token_embeddings", "sentence_embedding",
          "from token_embeddings to token_embeddings");
  refuses("token_pooling", "4_HierarchicalTokenPooling/config.json", "\"pool_factor\": 2", "\"pool_factor\": 0.5",
          "'pool_factor' is not a number of 1 or more");
  refuses("token_pooling", "modules.json", "HierarchicalTokenPooling\"", "LambdaTokenPooling\"", "LambdaTokenPooling");
  refuses("pylate", "config_sentence_transformers.json", "\"document_length\": 20", "\"document_length\": \"x\"",
          "document_length");
  refuses("pylate", "tokenizer_config.json", "\"mask_token\"", "\"no_token\"", "neither a mask_token nor an eos_token");
  refuses("pylate", "modules.json", "pylate.models.Dense.Dense", "pylate.models.Other.Other", "remote code");
}

}  // namespace quern::test
