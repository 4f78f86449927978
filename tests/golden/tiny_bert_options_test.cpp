// What the options of an embedding do, on the tiny BERT: pooling, normalizing, prompts, dimensions, lengths.
#include <catch2/catch.hpp>

#include "dispatch.h"
#include "heads/pooling.h"
#include "tiny_bert.h"

namespace quern::test {
namespace {

Rows normalized(Rows rows) {
  for (auto& row : rows) {
    double sum = 0;
    for (const float x : row) sum += double{x} * double{x};
    for (float& x : row) x = static_cast<float>(x / std::sqrt(sum));
  }
  return rows;
}

}  // namespace

TEST_CASE("options: every pooling mode is the reference's") {
  Embedder model(tiny_bert());
  const auto& pooling = golden().at("pooling");
  CHECK(pooling.size() == pooling_modes().size());
  for (const PoolingMode& row : pooling_modes()) {
    const std::string mode = row.name;
    INFO(mode);
    const Rows expected = pooling.at(mode).get<Rows>();
    CHECK(difference(model(golden_texts(), With().pooling(mode).normalize(false)), expected) < 1e-5);
    CHECK(difference(model(golden_texts(), With().pooling(mode)), normalized(expected)) < 2e-6);
    CHECK(model(golden_texts(), With().pooling(row.option)) == model(golden_texts(), With().pooling(mode)));
  }
}

TEST_CASE("options: a pooling mode that does not exist") {
  Embedder model(tiny_bert());
  const Error e = error_of([&] { model({"a"}, With().pooling("median")); });
  CHECK(e.status == Status::bad_argument);
  CHECK_THAT(e.message, Catch::Contains("median") && Catch::Contains("weightedmean"));
}

TEST_CASE("options: normalize overrides the model's pipeline") {
  Embedder model(tiny_bert());
  CHECK(difference(model(golden_texts(), With().normalize(false)), golden().at("pooling").at("mean").get<Rows>()) <
        1e-5);
  CHECK(model(golden_texts(), With().normalize(true)) == model(golden_texts()));

  ScratchFolder scratch;  // a model without a Normalize module
  write_variant(scratch, [](HfTensor&) {});
  auto modules = nlohmann::json::parse(read_text_file(scratch.file("modules.json"), 1 << 16));
  modules.erase(2);
  scratch.write("modules.json", modules.dump());
  Embedder raw(scratch.path());
  CHECK(difference(raw(golden_texts()), golden().at("pooling").at("mean").get<Rows>()) < 1e-5);
  CHECK(raw(golden_texts(), With().normalize(true)) == model(golden_texts()));
}

TEST_CASE("options: prompts") {
  Embedder model(tiny_bert());
  const auto& prompted = golden().at("prompted");
  const Rows expected = prompted.at("vectors").get<Rows>();
  std::vector<std::string> texts = golden_texts();
  texts.resize(expected.size());
  CHECK(difference(model(texts, With().prompt(prompted.at("prompt").get<std::string>())), expected) < 2e-6);
  CHECK(model(texts, With().prompt("")) == model(texts));

  ScratchFolder scratch;  // a model with a default prompt
  write_variant(scratch, [](HfTensor&) {});
  const std::string name = "config_sentence_transformers.json";
  auto config = nlohmann::json::parse(read_text_file(scratch.file(name), 1 << 16));
  config["default_prompt_name"] = "query";
  scratch.write(name, config.dump());
  Embedder with_default(scratch.path());
  CHECK(difference(with_default(texts), expected) < 2e-6);
  CHECK(with_default(texts, With().prompt("")) == model(texts));
  ScratchFolder files;
  Embedder converted(convert_to(files, "f32", scratch.path()));
  CHECK(difference(converted(texts), expected) < 2e-6);
}

TEST_CASE("options: a prompt that takes no part in pooling") {
  ScratchFolder scratch;
  write_variant(scratch, [](HfTensor&) {});
  scratch.write("1_Pooling/config.json",
                R"({"embedding_dimension": 64, "pooling_mode": "mean", "include_prompt": false})");
  Embedder model(scratch.path());
  const std::string prompt = "query: ", text = "the quick fox";
  // By hand: the states of the whole, less those of [CLS] and the prompt's tokens.
  Encoding whole, head;
  model.model->tokenizer->encode(prompt + text, {.add_special = true}, whole);
  model.model->tokenizer->encode(prompt, {.add_special = true}, head);
  const std::vector<int32_t> types(whole.ids.size(), 0);
  const Sequence all{0, static_cast<int64_t>(whole.ids.size())};
  HostOps op(default_kernels(), {});
  const Tensor last = forward(*model.model->model, {op}, {whole.ids, types, {&all, 1}});
  const HostTensor states(last);
  std::vector<float> mean(64, 0.0f);
  const int64_t skip = static_cast<int64_t>(head.ids.size()) - 1;
  for (int64_t t = skip; t < states.rows; ++t)
    for (size_t i = 0; i < 64; ++i) mean[i] += states.row(t)[i] / static_cast<float>(states.rows - skip);
  CHECK(difference(model({text}, With().normalize(false).prompt(prompt))[0], mean) < 1e-5);
  // Cut inside the prompt: nothing is left to pool, which is a zero vector and no crash.
  const Rows cut = model({text}, With().prompt(prompt).max_length(static_cast<size_t>(skip)));
  for (const float x : cut[0]) CHECK(std::isfinite(x));
}

TEST_CASE("options: dimensions") {
  Embedder model(tiny_bert());
  Rows expected = golden_vectors(), raw = golden().at("pooling").at("mean").get<Rows>();
  for (auto& row : expected) row.resize(10);
  for (auto& row : raw) row.resize(10);
  CHECK(model.session.width(With().dimensions(10)) == 10);
  CHECK(difference(model(golden_texts(), With().dimensions(10)), normalized(expected)) < 2e-6);
  CHECK(difference(model(golden_texts(), With().normalize(false).dimensions(10)), raw) < 1e-5);
  CHECK(model(golden_texts(), With().dimensions(64)) == model(golden_texts()));
  for (const int64_t wrong : {int64_t{65}, int64_t{-1}, INT64_MAX, INT64_MIN}) {
    const Error e = error_of([&] { model({"a"}, With().dimensions(wrong)); });
    CHECK(e.status == Status::bad_argument);
    CHECK_THAT(e.message, Catch::Contains("64") && Catch::Contains(std::to_string(wrong)));
  }
}

TEST_CASE("options: max_length and truncate") {
  Embedder model(tiny_bert());
  const std::string text = "the quick fox jumps";  // six tokens with [CLS] and [SEP]
  const Rows whole = model({text});
  CHECK(model.stats.tokens == 6);
  CHECK(model({text}, With().max_length(6)) == whole);
  CHECK(model.stats.truncated == 0);
  const Rows shorter = model({"the quick fox"});
  CHECK(model({"the quick fox jumps not"}, With().max_length(5)) == shorter);
  CHECK(model({text}, With().max_length(5)) == shorter);
  CHECK(model.stats.truncated == 1);
  model({text, "fox", text}, With().max_length(5));
  CHECK(model.stats.truncated == 2);
  CHECK(model.stats.tokens == 5 + 3 + 5);
  model({text}, With().max_length(64));  // above what the settings say, but there are positions
  const std::string many = golden_texts().back();
  model({many}, With().max_length(64));
  CHECK(model.stats.tokens == 64);
  for (const size_t wrong : {size_t{65}, size_t{1}, SIZE_MAX}) {
    const Error e = error_of([&] { model({text}, With().max_length(wrong)); });
    CHECK(e.status == Status::bad_argument);
    CHECK_THAT(e.message, Catch::Contains("64 tokens"));
  }
  CHECK(model({text}, With().max_length(2)) == model({""}));

  CHECK(model({text}, With().truncate(false)) == whole);
  for (const int threads : {1, 3}) {
    Embedder session(model.model, threads);
    const Error e = error_of([&] { session({"a", "b", many, "c"}, With().truncate(false).first_text(4097)); });
    CHECK(e.status == Status::bad_argument);
    CHECK_THAT(e.message, Catch::Contains("text 4099") && Catch::Contains("202 tokens") && Catch::Contains("32"));
    CHECK(session({text}) == whole);  // usable after an error
  }
}

TEST_CASE("options: no texts, and texts of any bytes") {
  Embedder model(tiny_bert(), 2);
  CHECK(model(std::vector<std::string>{}).empty());
  CHECK(model.stats.texts == 0);
  const std::string nul("fox\0fox", 7);
  const Rows rows = model({nul, "\xff\xfe", "fox \xC3", std::string(1 << 20, 'x'), std::string(3 << 20, ' '), ""});
  CHECK(rows[0] == model({"foxfox"})[0]);  // the normalizer drops control characters
  CHECK(rows[4] == rows[5]);
  for (const auto& row : rows)
    for (const float x : row) CHECK(std::isfinite(x));
  model({"\xff\xfe", "fox \xC3", "fine"});
  CHECK(model.stats.repaired == 2);
}

}  // namespace quern::test
