// A model's templates are parsed once; what is wrong with them is said at every call.
#include <quern.h>

#include <catch2/catch.hpp>
#include <thread>

#include "../golden/tiny_decoders.h"
#include "chat/template_cache.h"

namespace quern::test {
namespace {

using Catch::Contains;

// The status and what it gave: a text or a message.
std::pair<quern_status, std::string> chat_text(const quern_model* model, const std::string& conversation) {
  char* text = nullptr;
  const quern_status status = quern_chat_text(model, conversation.data(), conversation.size(), &text);
  if (status != QUERN_OK) return {status, quern_last_error()};
  std::string all = text;
  quern_string_free(text);
  return {status, all};
}

// The fixture with these templates.
struct Talking {
  explicit Talking(const nlohmann::json& templates) : copy("llama") {
    copy.scratch.write("tokenizer_config.json", nlohmann::json{{"chat_template", templates}}.dump());
    REQUIRE(quern_model_load(copy.path().c_str(), &model) == QUERN_OK);
  }
  ~Talking() { quern_model_free(model); }
  Talking(const Talking&) = delete;
  Talking& operator=(const Talking&) = delete;
  DecoderCopy copy;
  quern_model* model = nullptr;
};

}  // namespace

TEST_CASE("chat cache: one template a name, for every thread") {
  const TemplateCache cache;
  std::vector<const ChatTemplate*> found(8);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < found.size(); ++i)
    threads.emplace_back(
        [&, i] { found[i] = &cache.get(i % 2 ? "a" : "b", i % 2 ? "A{{ x }}" : "B{{ x }}", {}).chat; });
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 2; i < found.size(); ++i) CHECK(found[i] == found[i % 2]);
  CHECK(found[0] != found[1]);
  CHECK(join_parts(found[0]->render({{"x", 1}}, {})) == "B1");
  CHECK(join_parts(found[1]->render({{"x", 1}}, {})) == "A1");
  CHECK(&cache.get("a", "not read again {{", {}).chat == found[1]);
}

TEST_CASE("chat cache: what is no template is said each time") {
  const TemplateCache cache;
  for (int i = 0; i < 2; ++i) {
    const Error e = error_of([&] { cache.get("t", "\n{% nope %}", {}); });
    CHECK(e.status == Status::bad_file);
    CHECK_THAT(e.message, Contains("t:2: "));
  }
  CHECK(join_parts(cache.get("t", "fine", {}).chat.render(nlohmann::ordered_json::object(), {})) == "fine");
}

TEST_CASE("chat cache: over the C interface") {
  const std::string messages = R"([{"role":"user","content":"a"}])";
  const std::string with_tools = R"({"messages":[],"tools":[1]})";
  const Talking good({{{"name", "default"}, {"template", "D{{ messages[0].content }}"}},
                      {{"name", "tool_use"}, {"template", "T{{ tools[0] }}"}}});
  std::vector<std::thread> threads;
  std::vector<std::pair<quern_status, std::string>> texts(6);
  for (size_t i = 0; i < texts.size(); ++i)
    threads.emplace_back([&, i] { texts[i] = chat_text(good.model, i % 2 ? with_tools : messages); });
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < texts.size(); ++i) CHECK(texts[i] == std::pair(QUERN_OK, std::string(i % 2 ? "T1" : "Da")));

  const Talking bad({{{"name", "default"}, {"template", "D"}}, {{"name", "tool_use"}, {"template", "{% nope %}"}}});
  CHECK(quern_model_has_chat(bad.model) == 1);
  for (int i = 0; i < 2; ++i) {
    const auto [status, message] = chat_text(bad.model, with_tools);
    CHECK(status == QUERN_BAD_FILE);
    CHECK_THAT(message, Contains("chat template tool_use:1: "));
    CHECK(chat_text(bad.model, messages) == std::pair(QUERN_OK, std::string("D")));
    CHECK(chat_text(bad.model, "7").first == QUERN_BAD_ARGUMENT);
  }
}

}  // namespace quern::test
