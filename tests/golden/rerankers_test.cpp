// Language models that rank pairs, beside sentence-transformers and transformers
// (tests/reference/make_tiny_rerankers.py).
#include <catch2/catch.hpp>
#include <filesystem>

#include "engine.h"
#include "error.h"
#include "generation/generator.h"
#include "gguf/reader.h"
#include "gguf/writer.h"
#include "hub/known_rerankers.h"
#include "tiny_decoders.h"

namespace quern::test {
namespace {

constexpr const char* kRerankers[] = {
    "qwen3_logit_score",   "qwen2_one_token",           "gemma2_plain", "qwen3_sequence", "qwen3_sequence_plain",
    "Qwen3-Reranker-tiny", "bge-reranker-v2-gemma-tiny"};

std::string reranker_folder(const std::string& name) {
  return QUERN_TEST_DIR "/golden/rerankers/" + name;
}

struct Pair {
  std::optional<std::string> instruction;
  std::string query, document;
  size_t max_length, tokens;
  float score, raw;

  TextOptions options() const {
    TextOptions o;
    o.prompt = instruction;
    o.max_length = max_length;
    return o;
  }
};

std::vector<Pair> pairs_of(const std::string& name) {
  std::vector<Pair> pairs;
  for (const auto& e : nlohmann::json::parse(read_text_file(reranker_folder(name) + "/golden.json", 1 << 20)))
    pairs.push_back(
        {e.at("instruction").is_null() ? std::nullopt : std::optional(e.at("instruction").get<std::string>()),
         e.at("query"), e.at("document"), e.at("max_length"), e.at("ids").size(), e.at("score"), e.at("raw")});
  return pairs;
}

float score_of(Session& session, const Pair& pair, bool raw, EmbedStats& stats) {
  const std::string_view document = pair.document;
  float score = 0;
  session.rerank(pair.query, {&document, 1}, pair.options(), raw, {&score, 1}, stats);
  return score;
}

// most: of the pairs.
void check_scores_of(const std::string& name, const std::string& path, double limit, size_t most = SIZE_MAX) {
  Session session(load_model(path), 2);
  std::vector<Pair> pairs = pairs_of(name);
  if (pairs.size() > most) pairs.erase(pairs.begin() + static_cast<ptrdiff_t>(most), pairs.end());
  for (const Pair& pair : pairs) {
    INFO(path << ", " << pair.query << " | " << pair.document << " | " << pair.instruction.value_or("-") << " | "
              << pair.max_length);
    EmbedStats stats;
    const float raw = score_of(session, pair, true, stats);
    CHECK(double{raw} == Approx(double{pair.raw}).margin(limit));
    CHECK(stats.tokens == pair.tokens);
    if (limit < 0.01) CHECK(double{score_of(session, pair, false, stats)} == Approx(double{pair.score}).margin(limit));
  }
}

}  // namespace

TEST_CASE("rerankers that are language models: scores of the libraries, from the folder and files of every type",
          "[every_type]") {
  for (const std::string name : kRerankers) {
    check_scores_of(name, reranker_folder(name), 1e-4);
    ScratchFolder scratch;
    check_scores_of(name, convert_to(scratch, "f32", reranker_folder(name)), 1e-4);
    for (const WrittenType& type : written_types()) {
      const std::string t = type.name;
      const bool fine = t.find('8') != std::string::npos || t.find("16") != std::string::npos || t == "f32";
      check_scores_of(name, convert_to(scratch, t, reranker_folder(name)), fine ? 0.5 : 6, 5);
    }
  }
}

TEST_CASE("rerankers that are language models: a pair's score does not depend on the others, to the bit") {
  for (const std::string name : {"qwen3_logit_score", "Qwen3-Reranker-tiny"}) {
    const std::shared_ptr<const LoadedModel> model = load_model(reranker_folder(name));
    std::vector<std::string> texts;
    for (int i = 0; i < 40; ++i) texts.push_back("embeddings of " + std::to_string(i * i) + std::string(i * 5, 'x'));
    const std::vector<std::string_view> documents(texts.begin(), texts.end());
    EmbedStats stats;
    std::vector<float> alone;
    for (const std::string_view document : documents) {
      Session session(model, 1);
      alone.emplace_back();
      session.rerank("quick fox", {&document, 1}, {}, true, {&alone.back(), 1}, stats);
    }
    for (const int threads : {1, 3}) {
      Session session(model, threads);
      for (int round = 0; round < 2; ++round) {  // the second finds what the first kept
        std::vector<float> together(documents.size());
        session.rerank("quick fox", documents, {}, true, together, stats);
        CHECK(together == alone);
      }
      float other = 0;
      session.rerank("lazy user", std::span(documents).first(1), {}, true, {&other, 1}, stats);
      CHECK(other != alone[0]);
    }
  }
}

TEST_CASE("rerankers that are language models say what they are, and refuse what they are not") {
  const auto sequence = load_model(reranker_folder("qwen3_sequence"));
  CHECK_FALSE(generates(*sequence));
  CHECK_THROWS_WITH(KvPlan::of(*sequence, {}), Catch::Contains("generates no text: it is a classifier"));
  const std::shared_ptr<const LoadedModel> model = load_model(reranker_folder("qwen3_logit_score"));
  CHECK(generates(*model));
  Session session(model, 1);
  const std::string_view text = "fox";
  float score = 0;
  EmbedStats stats;
  CHECK_THROWS_WITH(session.classify({&text, 1}, {}, {}, true, {&score, 1}, stats), Catch::Contains("scores pairs"));
  CHECK_THROWS_WITH(session.embed({&text, 1}, {}, {&score, 1}, stats), Catch::Contains("scores of pairs (rerank)"));
  TextOptions unknown;
  unknown.prompt_name = "none such";
  CHECK_THROWS_WITH(session.rerank("q", {&text, 1}, unknown, true, {&score, 1}, stats), Catch::Contains("same, web"));
}

namespace {

void copy_key(GgufWriter& to, const GgufReader& from, const GgufKey& key) {
  const std::string_view name = key.name;
  if (key.type == GgufValueType::string) return to.set_string(name, from.get_string(name));
  if (key.type == GgufValueType::u32) return to.set_u32(name, static_cast<uint32_t>(from.get_uint(name)));
  if (key.type == GgufValueType::i32) return to.set_i32(name, static_cast<int32_t>(from.get_int(name)));
  if (key.type == GgufValueType::f32) return to.set_f32(name, static_cast<float>(from.get_float(name)));
  if (key.type == GgufValueType::boolean) return to.set_bool(name, from.get_bool(name));
  REQUIRE(key.type == GgufValueType::array);
  if (key.element == GgufValueType::string) {
    const std::vector<std::string_view> all = from.get_strings(name);
    return to.set_strings(name, std::span(all));
  }
  if (key.element == GgufValueType::f32) {
    const std::vector<float> all = from.get_array<float>(name).to_vector();
    return to.set_array(name, std::span(all));
  }
  const std::vector<int32_t> all = from.get_array<int32_t>(name).to_vector();
  to.set_array(name, std::span(all));
}

// A file as llama.cpp's converter writes Qwen3-Reranker: what quern adds of its own left out, labels and template
// added.
std::string as_llama_cpp(const ScratchFolder& scratch, const std::string& converted,
                         const std::string& labels_of_answers, const std::string& prompt) {
  const std::string bytes = read_text_file(converted, 1 << 24), path = scratch.file("rank.gguf");
  const GgufReader from(std::as_bytes(std::span(bytes)), converted);
  GgufWriter to(path, 32);
  for (const GgufKey& key : from.keys())
    if (!key.name.starts_with("quern.") && !key.name.starts_with("general.") && !key.name.ends_with(".pooling_type"))
      copy_key(to, from, key);
  to.set_string("general.architecture", "qwen3");
  to.set_u32("qwen3.pooling_type", 4);
  const std::vector<std::string> labels = {"yes", labels_of_answers};
  to.set_strings("qwen3.classifier.output_labels", std::span(labels));
  to.set_string("tokenizer.chat_template.rerank", prompt);
  for (const TensorInfo& t : from.tensors()) to.add_tensor(t.name, t.type, std::span(t.ne).first(t.n_dims));
  to.begin();
  for (const TensorInfo& t : from.tensors()) to.write_tensor_data(t.data.data(), t.data.size());
  to.commit();
  return path;
}

}  // namespace

TEST_CASE("rerankers that are language models: a file as llama.cpp writes it") {
  const std::string name = "Qwen3-Reranker-tiny";
  ScratchFolder scratch;
  const std::string f32 = convert_to(scratch, "f32", reranker_folder(name));
  const std::string prompt = qwen3_reranker_prompt("{query}", "{document}");
  check_scores_of(name, as_llama_cpp(scratch, f32, "no", prompt), 1e-4);
  const auto refused = [&](const std::string& label, const std::string& template_of_pairs) {
    return error_of([&] { load_model(as_llama_cpp(scratch, f32, label, template_of_pairs)); }).message;
  };
  CHECK_THAT(refused("maybe", prompt), Catch::Contains("qwen3.classifier.output_labels"));
  CHECK_THAT(refused("no", "{query} {document}"), Catch::Contains("of Qwen3-Reranker alone"));
}

// Each changes one thing of a folder that loads.
TEST_CASE("rerankers that are language models: folders that contradict themselves are refused by name") {
  namespace fs = std::filesystem;
  const auto refused = [](const std::string& file, const std::string& from, const std::string& to) {
    ScratchFolder scratch;
    fs::copy(reranker_folder("qwen3_logit_score"), scratch.path(),
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    std::string text = read_text_file(scratch.file(file), 1 << 20);
    REQUIRE(text.find(from) != std::string::npos);
    scratch.write(file, text.replace(text.find(from), from.size(), to));
    return error_of([&] { load_model(scratch.path()); }).message;
  };
  using Catch::Contains;
  CHECK_THAT(refused("1_LogitScore/config.json", "true_token_id", "true_id"), Contains("'true_token_id' is missing"));
  CHECK_THAT(refused("1_LogitScore/config.json", "causal_logits", "logits"),
             Contains("runs this module on causal_logits"));
  CHECK_THAT(refused("1_LogitScore/config.json", "\"true_token_id\": ", "\"true_token_id\": 99"),
             Contains("expected rows 0 to"));
  CHECK_THAT(refused("chat_template.jinja", "'document'", "'nothing'"), Contains("drops messages of the roles query"));
  CHECK_THAT(refused("config.json", "\"qwen3\"", "\"bert\""), Contains(""));
}

}  // namespace quern::test
