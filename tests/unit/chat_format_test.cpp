// Where templates come from: folders, model files of quern's and of llama.cpp's.
#include "chat/chat_format.h"

#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "error.h"
#include "format_bytes.h"
#include "gguf/reader.h"
#include "gguf/writer.h"
#include "hub/hf_folder.h"
#include "io/mapped_file.h"
#include "tokenizers/tokenizer.h"

using namespace quern;
using namespace quern::test;

namespace {

using Files = std::map<std::string, std::string>;

HfFolder read_with(Files files) {
  files["config.json"] = R"({"model_type":"qwen2"})";
  files["tokenizer.json"] = R"({"version":"1.0","truncation":null,"model":{}})";
  return HfFolder::read("dir", [&](const std::string& path, size_t) -> std::optional<std::string> {
    const auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional<std::string>(found->second);
  });
}

ChatFormat chat_of(const Files& files) {
  return read_with(files).chat;
}

std::unique_ptr<const Tokenizer> two_tokens() {
  return Tokenizer::parse(R"({"model":{"type":"WordLevel","unk_token":"<s>","vocab":{"<s>":0,"</s>":1}}})", "t");
}

ChatFormat written(const std::function<void(GgufWriter&)>& write) {
  const ScratchFolder folder;
  const std::string path = folder.file("chat.gguf");
  GgufWriter writer(path);
  write(writer);
  writer.begin();
  writer.commit();
  const MappedFile file = MappedFile::open(path);
  return chat_format_of(GgufReader(file.bytes(), path), *two_tokens());
}

}  // namespace

TEST_CASE("chat format: of a folder") {
  const ChatFormat none = chat_of({});
  CHECK(none == ChatFormat{});
  const std::string config =
      R"({"chat_template":"T","bos_token":"<s>","eos_token":{"content":"</s>"},"pad_token":null})";
  const std::string map = R"({"bos_token":"no","unk_token":{"content":"<unk>"},"additional_special_tokens":["x"]})";
  const ChatFormat one = chat_of({{"tokenizer_config.json", config}, {"special_tokens_map.json", map}});
  CHECK(one.source == "T");
  CHECK(one.specials == TrustedStrings{{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}});
  const ChatFormat list =
      chat_of({{"tokenizer_config.json",
                R"({"chat_template":[{"name":"default","template":"D"},{"name":"tool_use","template":"U"}]})"}});
  CHECK(list.source == "D");
  CHECK(list.named == std::map<std::string, std::string>{{"tool_use", "U"}});
  const HfFolder jinja = read_with({{"tokenizer_config.json", config},
                                    {"chat_template.jinja", "J"},
                                    {"additional_chat_templates/rag.jinja", "R"},
                                    {"chat_template.json", R"({"chat_template":"no"})"}});
  CHECK(jinja.chat.source == "J");
  CHECK(jinja.chat.named.at("rag") == "R");
  CHECK(jinja.decisions.back().what == "chat_template");
  CHECK(jinja.decisions.back().source == "chat_template.jinja");
  CHECK(chat_of({{"chat_template.json", R"({"chat_template":"P"})"}}).source == "P");
  for (const char* bad :
       {R"({"chat_template":7})", R"({"chat_template":[7]})", R"({"chat_template":[{"name":"a b","template":""}]})"})
    CHECK_THROWS_AS(chat_of({{"tokenizer_config.json", bad}}), Error);
}

TEST_CASE("chat format: of a model file") {
  const ChatFormat format{
      "{{ bos_token }}", {{"tool_use", "x"}, {"rag", "y"}}, {{"bos_token", "<s>"}, {"image_token", "<i>"}}};
  CHECK(written([&](GgufWriter& w) { write_chat_format(w, format); }) == format);
  CHECK(written([&](GgufWriter& w) { write_chat_format(w, {}); }) == ChatFormat{});
  const ChatFormat llama = written([](GgufWriter& w) {
    w.set_string("tokenizer.chat_template", "T");
    w.set_u32("tokenizer.ggml.bos_token_id", 0);
    w.set_u32("tokenizer.ggml.eos_token_id", 1);
    w.set_u32("tokenizer.ggml.padding_token_id", 99);
  });
  CHECK(llama == ChatFormat{"T", {}, {{"bos_token", "<s>"}, {"eos_token", "</s>"}}});
  CHECK_THROWS_AS(written([](GgufWriter& w) { w.set_string("tokenizer.chat_template.a b", "T"); }), Error);
  CHECK_THROWS_AS(written([](GgufWriter& w) { w.set_u32("tokenizer.chat_template", 1); }), Error);
}
