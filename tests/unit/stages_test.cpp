// The stages' contract with files that mean harm or are damaged: an Error that names the file and the key, in bounded
// time and memory. What the stages make of texts is the goldens' business.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "error.h"
#include "tokenizers/charsmap.h"
#include "tokenizers/padding.h"
#include "tokenizers/tokenizer.h"

using namespace quern;
using nlohmann::json;

namespace {

json file_with(const char* kind, json stage) {
  json file = {{"model", {{"type", "WordLevel"}, {"unk_token", "?"}, {"vocab", {{"?", 0}, {"a", 1}, {"b", 2}}}}}};
  file[kind] = std::move(stage);
  return file;
}

std::unique_ptr<const Tokenizer> with_stage(const json& file) {
  return Tokenizer::parse(file.dump(), "tokenizer.json");
}

std::string message(const json& file, const std::string& text = "") {
  try {
    Encoding out;
    with_stage(file)->encode(text, {}, out);
  } catch (const Error& e) {
    return e.message;
  }
  return "";
}

json replace(const char* kind, const char* pattern, const std::string& content) {
  return {{"type", "Replace"}, {"pattern", {{kind, pattern}}}, {"content", content}};
}

std::string to_base64(const std::string& bytes) {
  static const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += i + k > bytes.size() ? '=' : digits[bits >> (18 - 6 * k) & 63];
  }
  return out;
}

std::string charsmap(const std::vector<uint32_t>& units, const std::string& strings) {
  std::string bytes;
  const auto put = [&bytes](uint32_t v) {
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(v >> (8 * i));
  };
  put(static_cast<uint32_t>(units.size() * 4));
  for (const uint32_t u : units) put(u);
  return bytes + strings;
}

json precompiled(const std::string& bytes) {
  return {{"type", "Precompiled"}, {"precompiled_charsmap", to_base64(bytes)}};
}

}  // namespace

TEST_CASE("a stage that is wrong is an Error that names it") {
  struct Case {
    const char* kind;
    json stage;
    const char* named;
  };
  json deep = {{"type", "NFC"}};
  for (int i = 0; i < 40; ++i) deep = {{"type", "Sequence"}, {"normalizers", json::array({deep})}};
  const json nfc = {{"type", "NFC"}}, digits = {{"type", "Digits"}};
  const json split = {{"type", "Split"}, {"pattern", {{"String", " "}}}, {"behavior", "Removed"}, {"invert", false}};
  const auto with = [](json object, const char* key, json value) {
    object[key] = std::move(value);
    return object;
  };
  const Case cases[] = {
      {"normalizer",
       {{"type", "Sequence"}, {"normalizers", {nfc, {{"type", "Shout"}}}}},
       "normalizer.normalizers[1] type \"Shout\" is not supported (supported: BertNormalizer"},
      {"normalizer", deep, "nested deeper than 64 levels"},
      {"normalizer",
       {{"type", "Sequence"}, {"normalizers", std::vector<json>(300, nfc)}},
       "normalizers has more than 256 steps"},
      {"pre_tokenizer",
       {{"type", "Sequence"}, {"pretokenizers", std::vector<json>(300, digits)}},
       "pretokenizers has more than 256 steps"},
      {"normalizer",
       {{"type", "Prepend"}, {"prepend", std::string(2000, 'x')}},
       "normalizer.prepend should be at most 1024"},
      {"normalizer", replace("String", "a", std::string(2000, 'x')), "normalizer.content should be at most 1024"},
      {"normalizer", replace("Glob", "a", ""), "normalizer.pattern has no \"Regex\""},
      {"normalizer",
       {{"type", "Precompiled"}, {"precompiled_charsmap", "AAA!"}},
       "precompiled_charsmap should be base64"},
      {"normalizer",
       {{"type", "Precompiled"}, {"precompiled_charsmap", "AAAAA"}},
       "precompiled_charsmap should be base64"},
      {"normalizer", precompiled("abc"), "precompiled_charsmap should hold at least 4 bytes"},
      {"normalizer", precompiled(std::string("\x05\0\0\0ABCDEFGH", 12)),
       "says that its trie has 5 bytes, but 8 follow"},
      {"normalizer", precompiled(std::string("\xFC\xFF\xFF\xFF", 4) + "ABCD"),
       "its trie has 4294967292 bytes, but 4 follow"},
      {"normalizer", precompiled(charsmap({1}, "\xFF")), "has replacements that are not UTF-8"},
      {"normalizer", precompiled(charsmap({1}, std::string(5000, 'x'))), "has a replacement of more than 4096 bytes"},
      {"pre_tokenizer", with(split, "behavior", "Shout"), "has a behavior \"Shout\"; expected Removed"},
      {"pre_tokenizer", with(split, "pattern", {{"Regex", std::string(5000, 'a')}}),
       "pattern.Regex should be at most 4096"},
      {"pre_tokenizer", with(split, "pattern", {{"Regex", "(?<n>a)\\g<n>"}}), "pre_tokenizer.pattern.Regex "},
      {"pre_tokenizer",
       {{"type", "Metaspace"}, {"replacement", "__"}},
       "pre_tokenizer.replacement should be one character"},
      {"pre_tokenizer",
       {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "often"}},
       "prepend_scheme is \"often\""},
      {"pre_tokenizer", {{"type", "FixedLength"}, {"length", 0}}, "pre_tokenizer.length should be at least 1"},
      {"pre_tokenizer",
       {{"type", "CharDelimiterSplit"}, {"delimiter", ""}},
       "pre_tokenizer.delimiter should be one character"},
      {"post_processor",
       {{"type", "BertProcessing"}, {"sep", {"x", 9}}, {"cls", {"x", 1}}},
       "post_processor.sep[1] is 9"},
      {"post_processor",
       {{"type", "BertProcessing"}, {"sep", {"x"}}, {"cls", {"x", 1}}},
       "sep should be a token and its id"},
      {"truncation", {{"max_length", 5}, {"strategy", "Shortest"}}, "truncation.strategy is \"Shortest\""},
      {"truncation", {{"max_length", 5}, {"direction", "Up"}}, "truncation.direction is \"Up\""},
      {"padding", {{"strategy", "Longest"}}, "padding.strategy is \"Longest\""},
      {"padding", {{"strategy", {{"Fixed", -1}}}}, "padding.strategy.Fixed"},
  };
  for (const Case& c : cases) {
    const std::string got = message(file_with(c.kind, c.stage));
    INFO(c.named << "\n" << got);
    CHECK(got.rfind("tokenizer.json: ", 0) == 0);
    CHECK(got.find(c.named) != std::string::npos);
  }
}

TEST_CASE("post-processors that cannot follow each other, or grow, are refused") {
  const json special = {{"SpecialToken", {{"id", "a"}, {"type_id", 0}}}},
             text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const json tokens = {{"a", {{"id", "a"}, {"ids", {1}}, {"tokens", {"a"}}}}};
  const auto templates = [&](std::vector<json> single) {
    return json{{"type", "TemplateProcessing"}, {"single", single}, {"pair", single}, {"special_tokens", tokens}};
  };
  const auto chain = [](std::vector<json> steps) {
    return json{{"type", "Sequence"}, {"processors", std::move(steps)}};
  };
  const json three = templates({special, text, special});
  CHECK(message(file_with("post_processor", chain({three, three}))).find("processors[1] follows a template") !=
        std::string::npos);
  CHECK(message(file_with("post_processor", templates(std::vector<json>(17, text)))).find("repeats the text") !=
        std::string::npos);
  const json bert = {{"type", "BertProcessing"}, {"sep", {"a", 1}}, {"cls", {"b", 2}}};
  CHECK(message(file_with("post_processor", chain(std::vector<json>(3000, bert)))).find("more than 4096 pieces") !=
        std::string::npos);
  Encoding out;
  with_stage(file_with("post_processor", chain({bert, bert})))->encode("a", {}, out);
  CHECK(out.ids == std::vector<int32_t>{2, 2, 1, 1, 1});
}

TEST_CASE("texts do not grow without bound") {
  const json grow = replace("String", "a", std::string(1024, 'a'));
  const json twice = {{"type", "Sequence"}, {"normalizers", {grow, grow, grow, grow}}};
  CHECK(message(file_with("normalizer", twice), "aaaa").find("64 times as long") != std::string::npos);
  const json bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}};
  const json many = {{"type", "Sequence"}, {"pretokenizers", std::vector<json>(200, bytes)}};
  CHECK(message(file_with("pre_tokenizer", many), "\xC3\xA9").find("64 times as long") != std::string::npos);
  CHECK(message(file_with("normalizer", {{"type", "NFKD"}}), "\uFDFA\uFDFA").empty());
}

TEST_CASE("a charsmap that points outside of itself is read as far as it goes") {
  std::mt19937 random(3);
  const json value = "x";
  const std::string name = "file";
  const JsonField field(&value, "map", &name);
  for (int i = 0; i < 20000; ++i) {
    std::vector<uint32_t> units(random() % 400 + 1);
    for (uint32_t& u : units) u = random() % 3 ? random() : random() % 0x400;
    const Charsmap map(charsmap(units, std::string("ab\0c\0", 5)), field);
    std::string text(random() % 6, '\0');
    for (char& c : text) c = static_cast<char>(random());
    const auto found = map.find(text);
    CHECK((!found || found->size() <= 2));
  }
}

TEST_CASE("windows cover the text and share the stride") {
  const auto t = with_stage(file_with("pre_tokenizer", {{"type", "FixedLength"}, {"length", 1}}));
  const std::string text(100, 'a');
  EncodeOptions options{.max_length = 30, .stride = 10, .want_offsets = true};
  const std::vector<Encoding> windows = t->encode_windows(text, options);
  REQUIRE(windows.size() == 5);
  for (size_t i = 0; i < windows.size(); ++i) {
    CHECK(windows[i].offsets.front().begin == i * 20);
    CHECK(windows[i].offsets.back().end == std::min<size_t>(i * 20 + 30, 100));
    CHECK(windows[i].n_dropped == 100 - windows[i].ids.size());
  }
  options.truncate_left = true;
  CHECK(t->encode_windows(text, options)[4].offsets.front().begin == 0);
  CHECK(t->encode_windows(text, options)[0].offsets.front().begin == 70);
  CHECK(t->encode_windows("", options).size() == 1);
  options.stride = 30;
  CHECK_THROWS_AS(t->encode_windows(text, options), Error);
  CHECK(t->encode_windows("aaa", options).size() == 1);
  options = {.max_length = 1 << 16, .stride = (1 << 16) - 1};
  CHECK_THROWS_AS(t->encode_windows(std::string(1 << 18, 'a'), options), Error);
}

TEST_CASE("padding makes encodings of one length") {
  const auto t = with_stage(file_with("pre_tokenizer", {{"type", "FixedLength"}, {"length", 1}}));
  std::vector<Encoding> batch(2);
  t->encode("ab", {.want_offsets = true}, batch[0]);
  t->encode("a", {}, batch[1]);
  pad(batch, {.multiple_of = 4, .left = true, .id = 9, .type_id = 3});
  CHECK(batch[0].ids == std::vector<int32_t>{9, 9, 1, 2});
  CHECK(batch[0].type_ids == std::vector<int32_t>{3, 3, 0, 0});
  CHECK(batch[0].attention_mask == std::vector<uint8_t>{0, 0, 1, 1});
  CHECK(batch[0].special_mask == std::vector<uint8_t>{1, 1, 0, 0});
  CHECK(batch[0].offsets == std::vector<Span>{{0, 0}, {0, 0}, {0, 1}, {1, 2}});
  CHECK(batch[1].ids == std::vector<int32_t>{9, 9, 9, 1});
  CHECK(batch[1].offsets.empty());
  CHECK_THROWS_AS(pad(batch, {.length = size_t{1} << 40}), Error);
  pad(std::span<Encoding>(), {});
}
