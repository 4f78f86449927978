// The tokenizer's stages and whole pipelines against frozen answers of the reference library.
#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "error.h"
#include "saved_tables.h"
#include "tokenizers/normalizer.h"
#include "tokenizers/padding.h"
#include "tokenizers/pre_tokenizer.h"
#include "tokenizers/tokenizer.h"
#include "tokenizers/utf8.h"

using namespace quern;
using nlohmann::json;

namespace {

const std::string golden_folder = std::string(QUERN_TEST_DIR) + "/golden/tokenizers/";

std::vector<json> read_lines(const std::string& name) {
  std::ifstream file(golden_folder + name);
  std::vector<json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(json::parse(line));
  REQUIRE(!lines.empty());
  return lines;
}

std::string read_file(const std::string& name) {
  std::ifstream file(golden_folder + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Chars decode(const std::string& text) {
  Chars chars;
  for (uint32_t i = 0; i < text.size();) {
    const Utf8Char c = decode_utf8(text.data() + i);
    chars.push_back({c.code, i, i + c.size});
    i += c.size;
  }
  return chars;
}

std::string encode(const Chars& chars, Span span) {
  std::string text;
  for (uint32_t i = span.begin; i < span.end; ++i) {
    char utf8[4];
    text.append(utf8, encode_utf8(chars[i].code, utf8));
  }
  return text;
}

// The reference's offsets count characters; quern's count bytes.
std::vector<Span> to_bytes(const std::string& text, const json& offsets) {
  const Chars chars = decode(text);
  const auto byte = [&](size_t i) { return i < chars.size() ? chars[i].begin : static_cast<uint32_t>(text.size()); };
  std::vector<Span> spans;
  for (const json& o : offsets) spans.push_back({byte(o[0]), byte(o[1])});
  return spans;
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

void check_normalizer(const json& line) {
  const std::string file = "conf";
  const NormalizerPtr normalizer = make_normalizer(JsonField(&line["conf"], "", &file));
  NormalizerScratch scratch;
  for (const json& c : line["cases"]) {
    INFO(line["conf"].dump() << " on " << c[0].dump());
    Chars chars = decode(c[0]);
    normalizer->apply(chars, scratch);
    CHECK(encode(chars, {0, static_cast<uint32_t>(chars.size())}) == c[1].get<std::string>());
  }
}

void check_pre_tokenizer(const json& line) {
  const std::string file = "conf";
  const PreTokenizerPtr pre_tokenizer = make_pre_tokenizer(JsonField(&line["conf"], "", &file));
  for (const json& c : line["cases"]) {
    INFO(line["conf"].dump() << " on " << c[0].dump());
    Words words;
    words.text = decode(c[0]);
    if (!words.text.empty()) words.spans = {{0, static_cast<uint32_t>(words.text.size())}};
    pre_tokenizer->apply(words);
    json got = json::array();
    const auto in_chars = [&](uint32_t byte) { return decode(c[0].get<std::string>().substr(0, byte)).size(); };
    for (const Span& s : words.spans) {
      const Char &first = words.text[s.begin], &last = words.text[s.end - 1];
      got.push_back({encode(words.text, s), in_chars(first.begin), in_chars(last.end)});
    }
    CHECK(got == c[1]);
  }
}

void check_pipeline(const json& line) {
  const json& conf = line["conf"];
  const auto tokenizer = Tokenizer::parse(conf.dump(), "conf");
  EncodeOptions options = tokenizer->file_truncation().value_or(EncodeOptions{});
  options.want_offsets = true;
  for (const json& c : line["cases"]) {
    INFO(conf["truncation"].dump() << " on " << c[0].dump() << " " << c[1].dump());
    Encoding got;
    std::vector<std::string> texts = {c[0]};
    if (!c[1].is_null()) texts.push_back(c[1]);
    const auto encode = [&] {
      if (texts.size() == 1) {
        tokenizer->encode(texts[0], options, got);
      } else {
        tokenizer->encode_pair(texts[0], texts[1], options, got);
      }
    };
    const json& want = c[2];
    if (want.is_string()) {  // an error of the reference's
      CHECK_THROWS_AS(encode(), Error);
      continue;
    }
    encode();
    if (const auto padding = tokenizer->file_padding()) {
      pad({&got, 1}, *padding);
      CHECK(got.attention_mask == want["mask"].get<std::vector<uint8_t>>());
    }
    CHECK(got.ids == want["ids"].get<std::vector<int32_t>>());
    CHECK(got.type_ids == want["type_ids"].get<std::vector<int32_t>>());
    CHECK(got.special_mask == want["special"].get<std::vector<uint8_t>>());
    if (texts.size() == 1) CHECK(got.offsets == to_bytes(texts[0], want["offsets"]));
    for (size_t i = 0; i < got.ids.size(); ++i)
      CHECK(tokenizer->piece(got.ids[i]) == want["tokens"][i].get<std::string>());
  }
}

}  // namespace

TEST_CASE("tokenizer stages and pipelines give the reference's answers") {
  for (const json& line : read_lines("stages.jsonl")) {
    if (line["kind"] == "norm") check_normalizer(line);
    if (line["kind"] == "pretok") check_pre_tokenizer(line);
    if (line["kind"] == "tok") check_pipeline(line);
  }
}

namespace {

json describe(const Encoding& e) {
  json offsets = json::array();
  for (const Span& s : e.offsets) offsets.push_back({s.begin, s.end});
  return {e.ids, offsets, e.type_ids};
}

json answer(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  EncodeOptions options = tokenizer.file_truncation().value_or(EncodeOptions{});
  options.want_offsets = true;
  if (options.max_length == 0) {
    Encoding e;
    if (texts.size() == 1) {
      tokenizer.encode(texts[0], options, e);
    } else {
      tokenizer.encode_pair(texts[0], texts[1], options, e);
    }
    return describe(e);
  }
  json windows = json::array();
  for (const Encoding& e : texts.size() == 1 ? tokenizer.encode_windows(texts[0], options)
                                             : tokenizer.encode_pair_windows(texts[0], texts[1], options)) {
    windows.push_back(describe(e));
  }
  return windows;
}

}  // namespace

TEST_CASE("chains of stages, pairs and windows give the reference's ids, offsets and types") {
  const std::vector<json> lines = read_lines("chains.jsonl");
  for (size_t i = 1; i < lines.size(); ++i) {
    json file = lines[i]["file"];
    file["model"] = lines[0]["models"][file["model"].get<std::string>()];
    const auto parse = [&file] { return Tokenizer::parse(file.dump(), "tokenizer.json"); };
#if !defined(QUERN_PCRE2)
    try {
      parse();
    } catch (const Error& e) {
      REQUIRE(e.message.find("lacks PCRE2") != std::string::npos);
      continue;
    }
#endif
    const auto tokenizer = parse();
    for (const json& c : lines[i]["cases"]) {
      INFO(lines[i]["name"] << " on " << c[0].dump());
      std::vector<std::string> texts;
      for (const json& hex : c[0]) texts.push_back(from_hex(hex));
      if (c[1].is_object()) {  // an error of the reference's
        CHECK_THROWS_AS(answer(*tokenizer, texts), Error);
      } else {
        CHECK(answer(*tokenizer, texts) == c[1]);
      }
    }
  }
}

TEST_CASE("a trained WordPiece gives the reference's ids and offsets, by both paths") {
  const std::string file = read_file("tiny_wordpiece.json");
  for (const bool fast : {true, false}) {
    const auto tokenizer = Tokenizer::parse(file, "tiny_wordpiece.json", fast);
    Encoding got;
    EncodeOptions options;
    options.want_offsets = true;
    for (const json& c : read_lines("tiny_wordpiece.jsonl")) {
      INFO((fast ? "fast " : "general ") << c["hex"]);
      tokenizer->encode(from_hex(c["hex"]), options, got);
      CHECK(got.ids == c["ids"].get<std::vector<int32_t>>());
      json offsets = json::array();
      for (const Span& s : got.offsets) offsets.push_back({s.begin, s.end});
      CHECK(offsets == c["offsets"]);
    }
  }
}

namespace {

// Of ids given in one go, and one by one.
void check_decode(const Tokenizer& tokenizer, const json& ids, bool skip_special, const json& want) {
  const auto numbers = ids.get<std::vector<int32_t>>();
  CHECK(tokenizer.decode(numbers, skip_special) == want.get<std::string>());
  TokenDecoder decoder(tokenizer, skip_special);
  std::string text, part;
  for (const int32_t id : numbers) {
    part.clear();
    decoder.push(id, part);
    CHECK(find_invalid_utf8(part) == part.size());
    text += part;
  }
  decoder.flush(text);
  CHECK(text == want.get<std::string>());
}

void check_cases(const Tokenizer& tokenizer, const std::string& name) {
  Encoding got;
  EncodeOptions options;
  options.want_offsets = true;
  for (const json& c : read_lines(name + "l")) {
    INFO(name << " on " << c["hex"]);
    tokenizer.encode(from_hex(c["hex"]), options, got);
    CHECK(got.ids == c["ids"].get<std::vector<int32_t>>());
    json offsets = json::array();
    for (const Span& s : got.offsets) offsets.push_back({s.begin, s.end});
    CHECK(offsets == c["offsets"]);
    check_decode(tokenizer, c["ids"], false, c["text"]);
    check_decode(tokenizer, c["ids"], true, c["plain"]);
    check_decode(tokenizer, c["some"], true, c["some_text"]);
  }
}

}  // namespace

TEST_CASE("trained BPE and Unigram give the reference's ids, offsets and texts, from JSON and from tables") {
  for (const char* name : {"tiny_byte_bpe.json", "tiny_spm_bpe.json", "tiny_suffix_bpe.json", "tiny_prefix_bpe.json",
                           "tiny_dropping_bpe.json", "tiny_unigram.json", "tiny_byte_unigram.json"}) {
    const std::string file = read_file(name);
    const auto tokenizer = Tokenizer::parse(file, name);
    check_cases(*tokenizer, name);
    const SavedTables saved(*tokenizer);
    const auto in_place = Tokenizer::parse(Tokenizer::outline(file, name), name, true, &saved.source());
    check_cases(*in_place, name);
  }
}
