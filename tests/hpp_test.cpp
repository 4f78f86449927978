// quern.hpp against quern.h on the tiny models: the same values, exceptions for errors, owners that can be moved.
// hpp_test BERT_FOLDER CLASSIFIER_FOLDER TAGGER_FOLDER DECODER_FOLDER
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <quern.hpp>
#include <type_traits>

namespace {

int failures = 0;

#define CHECK(condition)                                                   \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                          \
    }                                                                      \
  } while (0)

template <class F>
quern::Error error_of(const F& f) {
  try {
    f();
  } catch (const quern::Error& e) {
    return e;
  }
  return quern::Error(QUERN_OK, "");
}

static_assert(std::is_copy_constructible_v<quern::Model> && std::is_nothrow_move_constructible_v<quern::Session>);
static_assert(!std::is_copy_constructible_v<quern::Session> && !std::is_copy_constructible_v<quern::Generator>);

void vectors(const char* path) {
  const quern::Model model = quern::Model::load(path);
  quern::Session first(model, 2);
  quern::Session session = std::move(first);
  CHECK(session.threads() == 2);
  quern_embed_stats stats{};
  const quern::Vectors v =
      session.embed({"the quick fox", "", std::string_view("a\0b", 3)}, quern_embed_options_default(), &stats);
  CHECK(v.size() == 3 && v.width == session.embed_width() && stats.texts == 3);
  const char* text = "the quick fox";
  const size_t length = std::strlen(text);
  std::vector<float> expected(v.width);
  CHECK(quern_embed(session.get(), &text, &length, 1, nullptr, expected.data(), expected.size(), nullptr) == QUERN_OK);
  CHECK(std::memcmp(v[0].data(), expected.data(), v.width * sizeof(float)) == 0);
  const std::vector<std::string> strings = {"the quick fox"};
  const std::array<const char*, 1> pointers = {"the quick fox"};
  CHECK(session.embed(strings).values == expected);
  CHECK(session.embed(pointers).values == expected);
  CHECK(session.embed(std::vector<std::string>()).size() == 0);
  std::vector<float> small(3);
  CHECK(error_of([&] { session.embed(strings, small); }).status == QUERN_BAD_ARGUMENT);
  quern_embed_options options = quern_embed_options_default();
  options.pooling = "none of these";
  CHECK(std::strstr(error_of([&] { session.embed(strings, options); }).what(), "none of these"));
  const std::vector<int32_t> ids = model.tokenize("the quick fox");
  CHECK(ids.size() > 2 && model.tokenize("the quick fox", false).size() == ids.size() - 2);
  CHECK(model.detokenize(ids) == "the quick fox");
  CHECK(model.describe().front() == '{' && model.fingerprint().size() == 32 && (model.outputs() & QUERN_DENSE));
  const quern::Error missing = error_of([] { quern::Model::load("/nowhere/at/all"); });
  const quern::Error device = error_of([&] { quern::Model::load(path, "gpu"); });
  CHECK(std::string(device.what()).find("expected cpu, auto, cuda") != std::string::npos);
  CHECK(missing.status == QUERN_NOT_FOUND && std::strstr(missing.what(), "/nowhere/at/all"));
}

void labels(const char* classifier, const char* tagger) {
  quern::Session session(quern::Model::load(classifier));
  const quern::Vectors scores = session.classify({"the quick fox", "a user"});
  CHECK(scores.size() == 2 && scores.width == session.model().labels().size());
  CHECK(session.classify({"the quick fox"}, {"a user"}).size() == 1);
  CHECK(error_of([&] { session.classify({"a", "b"}, {"c"}); }).status == QUERN_BAD_ARGUMENT);
  CHECK(error_of([&] { session.tag({"a"}); }).status != QUERN_OK);
  quern::Session tags(quern::Model::load(tagger));
  const auto spans = tags.tag({"the quick fox", ""}, false);
  CHECK(spans.size() == 2 && spans[0].size() >= 3 && spans[1].empty());
  CHECK(spans[0][0].begin == 0 && spans[0][0].end == 3);
}

void texts(const char* path) {
  const quern::Model model = quern::Model::load(path);
  quern_generator_options small = quern_generator_options_default();
  small.context = 64;
  quern::Generator generator(model, small);
  quern_generation_options options = generator.sampling();
  options.max_tokens = 8;
  options.temperature = 0;
  options.ignore_end = 1;
  std::string heard;
  const auto listen = [&](std::string_view piece) { return heard += piece, true; };
  const quern::Completion whole = generator.generate("the quick", options, listen);
  CHECK(whole.tokens == 8 && whole.finish == QUERN_FINISH_LENGTH && whole.text == heard);
  CHECK(generator.generate(model.tokenize("the quick", true, -1), options).text == whole.text);
  size_t pieces = 0;
  const quern::Completion part =
      generator.generate("the quick", options, [&](std::string_view) { return ++pieces < 2; });
  CHECK(part.finish == QUERN_FINISH_NONE && part.tokens < 8);
  struct Mine {};
  bool thrown = false;
  try {
    generator.generate("the quick", options, [](std::string_view) -> bool { throw Mine(); });
  } catch (const Mine&) {
    thrown = true;
  }
  CHECK(thrown);
  CHECK(generator.generate("the quick", options).text == whole.text);  // it works on
  options.grammar = "root ::= (";
  CHECK(error_of([&] { generator.generate("the quick", options); }).status == QUERN_BAD_ARGUMENT);
  options.grammar = nullptr;
  const quern::Message messages[] = {{"user", "a \"quoted\"\n\x01 fox"}};
  if (quern_model_has_chat(model.get())) {
    CHECK(generator.chat(messages, options).tokens == 8);
    CHECK(error_of([&] { generator.chat_json("{", options); }).status == QUERN_BAD_ARGUMENT);
  } else {
    CHECK(error_of([&] { generator.chat(messages, options); }).status != QUERN_OK);
  }
  CHECK(error_of([&] { quern::Session(model).classify({"a"}); }).status != QUERN_OK);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  vectors(argv[1]);
  labels(argv[2], argv[3]);
  texts(argv[4]);
  return failures ? 1 : 0;
}
