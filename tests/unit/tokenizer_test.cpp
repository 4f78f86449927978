// The tokenizer's contract: options, truncation, invalid text, bounds, and an Error for every malformed file.
#include "tokenizers/tokenizer.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "error.h"
#include "tokenizers/utf8.h"

using namespace quern;
using nlohmann::json;
using Ids = std::vector<int32_t>;

namespace {

// Ids: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4, a 5, b 6, ab 7, ##a 8, ##b 9, ! 10, é 11, 中 12
json small_file() {
  json vocab, added = json::array();
  int id = 0;
  for (const char* piece :
       {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "ab", "##a", "##b", "!", "é", "中"}) {
    if (piece[0] == '[') added.push_back({{"id", id}, {"content", piece}, {"special", true}, {"normalized", false}});
    vocab[piece] = id++;
  }
  const json cls = {{"SpecialToken", {{"id", "[CLS]"}, {"type_id", 0}}}},
             a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const json sep = {{"SpecialToken", {{"id", "[SEP]"}, {"type_id", 0}}}},
             sep_b = {{"SpecialToken", {{"id", "[SEP]"}, {"type_id", 1}}}};
  const json b = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  return {{"version", "1.0"},
          {"truncation", {{"max_length", 128}, {"strategy", "LongestFirst"}, {"stride", 0}}},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", {{"type", "BertNormalizer"}, {"lowercase", true}, {"strip_accents", nullptr}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single", {cls, a, sep}},
            {"pair", {cls, a, sep, b, sep_b}},
            {"special_tokens",
             {{"[CLS]", {{"id", "[CLS]"}, {"ids", {2}}, {"tokens", {"[CLS]"}}}},
              {"[SEP]", {{"id", "[SEP]"}, {"ids", {3}}, {"tokens", {"[SEP]"}}}}}}}},
          {"decoder", nullptr},
          {"model",
           {{"type", "WordPiece"},
            {"unk_token", "[UNK]"},
            {"continuing_subword_prefix", "##"},
            {"max_input_chars_per_word", 100},
            {"vocab", vocab}}}};
}

std::unique_ptr<const Tokenizer> made_of(const json& file, bool fast = true) {
  return Tokenizer::parse(file.dump(), "tokenizer.json", fast);
}

Encoding encode(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options = {}) {
  Encoding out;
  tokenizer.encode(text, options, out);
  return out;
}

Ids ids(const Tokenizer& tokenizer, std::string_view text) {
  return encode(tokenizer, text, {.add_special = false}).ids;
}

// The status and message of parsing; Status::ok if it succeeds.
Error tokenizer_error(const std::string& text) {
  try {
    Tokenizer::parse(text, "tokenizer.json");
  } catch (const Error& e) {
    return e;
  }
  return Error(Status::ok, "");
}

}  // namespace

TEST_CASE("a tokenizer answers about its vocabulary") {
  const auto t = made_of(small_file());
  CHECK(t->vocab_size() == 13);
  CHECK(t->piece(7) == "ab");
  CHECK(t->piece(13) == "");
  CHECK(t->piece(-1) == "");
  CHECK(t->id("##b") == 9);
  CHECK(t->id("zz") == -1);
  CHECK(t->n_special(false) == 2);
  CHECK(t->n_special(true) == 3);
  CHECK(t->file_max_length() == std::optional<size_t>(128));
}

TEST_CASE("encode gives ids, types, offsets and the special mask") {
  const auto t = made_of(small_file());
  const Encoding e = encode(*t, " aBa [MASK]\t!", {.want_offsets = true});
  CHECK(e.ids == Ids{2, 7, 8, 4, 10, 3});
  CHECK(e.type_ids == Ids(6, 0));
  CHECK(e.offsets == std::vector<Span>{{0, 0}, {1, 3}, {3, 4}, {5, 11}, {12, 13}, {0, 0}});
  CHECK(e.special_mask == std::vector<uint8_t>{1, 0, 0, 0, 0, 1});
  CHECK(encode(*t, "ab").offsets.empty());
  CHECK(encode(*t, "").ids == Ids{2, 3});
  CHECK(encode(*t, " \t ").ids == Ids{2, 3});
  CHECK(ids(*t, "").empty());
  CHECK(ids(*t, "ab中a\xC3\xA9") == Ids{7, 12, 1});  // é is stripped to e, which the vocabulary lacks
  CHECK(ids(*t, std::string("a\0b", 3)) == Ids{7});
  CHECK(ids(*t, "[mask]") == Ids{1, 1, 1});
}

TEST_CASE("truncation counts the special tokens and says what it cut") {
  const auto t = made_of(small_file());
  const Encoding right = encode(*t, "a b a b !", {.max_length = 4});
  CHECK(right.ids == Ids{2, 5, 6, 3});
  CHECK(right.n_dropped == 3);
  CHECK(encode(*t, "a b a b !", {.max_length = 4, .truncate_left = true}).ids == Ids{2, 6, 10, 3});
  CHECK(encode(*t, "a b", {.add_special = false, .max_length = 1}).ids == Ids{5});
  CHECK(encode(*t, "a b", {.max_length = 2}).ids == Ids{2, 3});
  CHECK_THROWS_AS(encode(*t, "a b", {.max_length = 1}), Error);
  Encoding pair;
  t->encode_pair("a a a a", "b b", {.max_length = 7}, pair);
  CHECK(pair.ids == Ids{2, 5, 5, 3, 6, 6, 3});
  CHECK(pair.type_ids == Ids{0, 0, 0, 0, 1, 1, 1});
  CHECK(pair.n_dropped == 2);
  t->encode_pair("a", "b b b b", {.max_length = 7, .truncate_left = true}, pair);
  CHECK(pair.ids == Ids{2, 5, 3, 6, 6, 6, 3});
  CHECK_THROWS_AS(t->encode_pair("a", "b", {.max_length = 2}, pair), Error);
}

TEST_CASE("invalid UTF-8 is read as U+FFFD, one for each maximal part") {
  struct Case {
    const char *bytes, *repaired;
    size_t n;
  };
  const Case cases[] = {{"a\xFF", "a\uFFFD", 1},
                        {"\xE2\x82", "\uFFFD", 1},
                        {"\xE2\x28\xA1", "\uFFFD(\uFFFD", 2},
                        {"\xF0\x9F\x98", "\uFFFD", 1},
                        {"\xC0\x80", "\uFFFD\uFFFD", 2},
                        {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD", 3},
                        {"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD", 4},
                        {"\xF0\x80", "\uFFFD\uFFFD", 2},
                        {"\xC3\xA9", "\u00E9", 0},
                        {"abcdefgh\x80i", "abcdefgh\uFFFDi", 1}};
  for (const Case& c : cases) {
    RepairedUtf8 repaired;
    repaired.assign(c.bytes);
    CHECK(repaired.text() == c.repaired);
    CHECK(repaired.n_replaced() == c.n);
    CHECK((find_invalid_utf8(c.bytes) == std::string_view(c.bytes).size()) == (c.n == 0));
  }
  const auto t = made_of(small_file());
  const Encoding e = encode(*t,
                            "\xFF"
                            "a\xE2\x82 b",
                            {.add_special = false, .want_offsets = true});
  CHECK(e.ids == Ids{5, 6});  // clean_text drops U+FFFD
  CHECK(e.offsets == std::vector<Span>{{1, 2}, {5, 6}});
  CHECK(e.n_invalid == 2);
}

TEST_CASE("words above the limit are one unknown token") {
  const auto t = made_of(small_file());
  CHECK(ids(*t, std::string(100, 'a')).size() == 100);
  CHECK(ids(*t, std::string(101, 'a')) == Ids{1});
  CHECK(ids(*t, std::string(101, 'a') + "!" + std::string(5000, 'b') + "\u0301") == Ids{1, 10, 1});
  json file = small_file();
  file["model"]["max_input_chars_per_word"] = 3000;
  CHECK(ids(*made_of(file), std::string(3000, 'a')).size() == 3000);
  CHECK(ids(*made_of(file), std::string(3001, 'a')) == Ids{1});
}

TEST_CASE("added tokens obey their flags") {
  json file = small_file();
  const auto add = [&](const char* content, bool normalized, std::vector<const char*> flags) {
    json token = {{"id", 0}, {"content", content}, {"special", false}, {"normalized", normalized}};
    for (const char* flag : flags) token[flag] = true;
    file["added_tokens"].push_back(token);
  };
  add("b!", false, {"single_word"});
  add("<x>", false, {"lstrip"});
  add("<x>a", false, {"rstrip"});
  CHECK(ids(*made_of(file), "b!") == Ids{13});
  CHECK(ids(*made_of(file), "ab! b!a b! B!") == Ids{7, 10, 6, 10, 5, 13, 6, 10});
  CHECK(ids(*made_of(file), "<x><x>a") == Ids{14, 15});
  const Encoding e = encode(*made_of(file), "a  <x> b <x>a  b", {.add_special = false, .want_offsets = true});
  CHECK(e.ids == Ids{5, 14, 6, 15, 6});
  CHECK(e.offsets == std::vector<Span>{{0, 1}, {1, 6}, {7, 8}, {9, 15}, {15, 16}});
  add("ABBA", true, {});
  CHECK(ids(*made_of(file), "xabbay Abb\xC3\xA0") == Ids{1, 16, 1, 16});
  CHECK(made_of(file)->piece(16) == "ABBA");
  CHECK(made_of(file)->id("<x>a") == 15);
  CHECK(made_of(file)->vocab_size() == 17);
}

TEST_CASE("the fast path equals the general path") {
  std::ifstream stream(std::string(QUERN_TEST_DIR) + "/golden/tokenizers/tiny_wordpiece.json");
  json file = json::parse(stream);
  std::mt19937 random(7);
  const char* const parts[] = {
      "the",       "Token",        "iza",  "tion", " ",      "  ", "\t",           "!",        "-",    "\xC3\xA9",
      "e\xCC\x81", "\xE4\xBD\xA0", "\x01", "\x0B", "[MASK]", "[",  "\xE2\x80\x8B", "\xC2\xA0", "\xFF", "\xC4\xB0",
      "I",         "\xCC\xA3",     "q"};
  for (const char* flags : {"1111", "0111", "1011", "1101", "1110", "0000"}) {
    const char* const names[] = {"clean_text", "handle_chinese_chars", "strip_accents", "lowercase"};
    for (int i = 0; i < 4; ++i) file["normalizer"][names[i]] = flags[i] == '1';
    const auto fast = made_of(file), general = made_of(file, false);
    for (int n = 0; n < 1500; ++n) {
      std::string text;
      for (unsigned k = random() % 30; k > 0; --k) text += parts[random() % std::size(parts)];
      const Encoding a = encode(*fast, text, {.want_offsets = true}),
                     b = encode(*general, text, {.want_offsets = true});
      INFO(flags << " " << json(text).dump(-1, ' ', true, json::error_handler_t::replace));
      REQUIRE(a.ids == b.ids);
      REQUIRE(a.offsets == b.offsets);
      REQUIRE(a.n_invalid == b.n_invalid);
    }
  }
}

// What is quadratic in a line takes hours here.
TEST_CASE("a line of 10 MB goes through", "[slow]") {
  const auto t = made_of(small_file());
  for (const char* part : {"ab ", "a", "\xE4\xB8\xAD", "\xCC\x81\xCC\xA3", "[", " ", "\xFF", "\xC3\xA9"}) {
    std::string text;
    while (text.size() < (10u << 20)) text += part;
    INFO(json(part).dump(-1, ' ', true, json::error_handler_t::replace));
    REQUIRE_NOTHROW(encode(*t, text));
  }
}

TEST_CASE("one tokenizer serves many threads") {
  const auto t = made_of(small_file());
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (size_t k = 0; k < wrong.size(); ++k) {
    threads.emplace_back([&, k] {
      for (int i = 0; i < 500; ++i) wrong[k] += ids(*t, "ab \xE4\xB8\xAD [MASK]\xFF a") != Ids{7, 12, 4, 5};
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("an old file's model type is inferred") {
  json file = small_file();
  file["model"].erase("type");
  CHECK(ids(*made_of(file), "aba") == Ids{7, 8});
  file["model"].erase("continuing_subword_prefix");
  file["model"].erase("max_input_chars_per_word");
  CHECK(ids(*made_of(file), "aba ab") == Ids{1, 7});
}

TEST_CASE("a malformed file is an Error that names the key") {
  struct Case {
    const char* pointer;
    json value;  // put there; discarded: the key is removed
    Status status;
    const char* named;
  };
  const json gone = json(json::value_t::discarded);
  const Case cases[] = {
      {"/normalizer/type", "Shout", Status::unsupported,
       "normalizer type \"Shout\" is not supported (supported: BertNormalizer, ByteLevel"},
      {"/normalizer/type", "Precompiled", Status::bad_file, "normalizer has no \"precompiled_charsmap\""},
      {"/pre_tokenizer/type", "Shout", Status::unsupported, "pre_tokenizer type \"Shout\""},
      {"/pre_tokenizer/type", "Metaspace", Status::bad_file, "pre_tokenizer has no \"replacement\""},
      {"/post_processor/type", "Shout", Status::unsupported, "post_processor type \"Shout\""},
      {"/model/type", "Trigram", Status::unsupported,
       "model type \"Trigram\" is not supported (supported: BPE, Unigram"},
      {"/model/type", 3, Status::bad_file, "model.type should be a string, but is number"},
      {"/normalizer", "x", Status::bad_file, "normalizer should be an object"},
      {"/normalizer/lowercase", "yes", Status::bad_file, "normalizer.lowercase should be true or false"},
      {"/pre_tokenizer/type", gone, Status::bad_file, "pre_tokenizer has no \"type\""},
      {"/model", gone, Status::bad_file, "has no \"model\""},
      {"/model/vocab", gone, Status::bad_file, "model has no \"vocab\""},
      {"/model/vocab", json::array(), Status::bad_file, "model has no \"vocab\""},
      {"/model/vocab/a", -1, Status::bad_file, "model.vocab: id -1"},
      {"/model/vocab/a", 6, Status::bad_file, "model.vocab: id 6 is given to two pieces"},
      {"/model/vocab/a", 100, Status::bad_file, "model.vocab: id 100"},
      {"/model/vocab/a", 18446744073709551615u, Status::bad_file, "model.vocab: id"},
      {"/model/vocab/a", "5", Status::bad_file, "model.vocab[\"a\"]"},
      {"/model/vocab/a", 5.5, Status::bad_file, "model.vocab[\"a\"]"},
      {"/model/vocab/a", {{"b", 1}}, Status::bad_file, "model.vocab[\"a\"]"},
      {"/model/unk_token", "<unk>", Status::bad_file, "unk_token \"<unk>\", which is not in its vocab"},
      {"/model/max_input_chars_per_word", -1, Status::bad_file, "model.max_input_chars_per_word"},
      {"/post_processor/pair", gone, Status::bad_file, "post_processor has no \"pair\""},
      {"/post_processor/special_tokens/[CLS]", gone, Status::bad_file, "\"[CLS]\", which is not in special_tokens"},
      {"/post_processor/special_tokens/[CLS]/ids", {13}, Status::bad_file, "ids[0] is 13"},
      {"/post_processor/single/1/Sequence/id", "B", Status::bad_file, "post_processor.single has the sequence B"},
      {"/post_processor/single/1/Sequence/type_id", 1u << 31, Status::bad_file, "single[1].Sequence.type_id"},
      {"/added_tokens", {{"x", 1}}, Status::bad_file, "added_tokens should be an array"},
      {"/added_tokens/0/content", gone, Status::bad_file, "added_tokens[0] has no \"content\""},
      {"/added_tokens/0/content", std::string(2000, 'x'), Status::unsupported, "added_tokens[0] has a content above"},
      {"/truncation/max_length", "128", Status::bad_file, "truncation.max_length"},
  };
  for (const Case& c : cases) {
    json file = small_file();
    const json::json_pointer pointer(c.pointer);
    if (c.value.is_discarded()) {
      file[pointer.parent_pointer()].erase(pointer.back());
    } else {
      file[pointer] = c.value;
    }
    const Error e = tokenizer_error(file.dump());
    INFO(c.pointer << ": " << e.message);
    CHECK(e.status == c.status);
    CHECK(e.message.find(c.named) != std::string::npos);
    CHECK(e.message.rfind("tokenizer.json: ", 0) == 0);
  }
}

TEST_CASE("what is no tokenizer.json at all is an Error") {
  const std::string file = small_file().dump();
  for (size_t n = 0; n < file.size(); ++n) CHECK(tokenizer_error(file.substr(0, n)).status == Status::bad_file);
  for (const char* text :
       {"", "[]", "3", "null", "\"x\"", "{}", "{\"model\":[]}", "{\"model\":{\"vocab\":{},\"vocab\":{}}}", "\xFF"}) {
    INFO(text);
    CHECK(tokenizer_error(text).status == Status::bad_file);
  }
  const std::string vocab = "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"a\",\"vocab\":";
  CHECK(tokenizer_error(vocab + "{\"a\":0}}}").status == Status::ok);
  CHECK(tokenizer_error(vocab + "{\"a\":0,\"a\":1}}}").message.find("\"a\" twice") != std::string::npos);
  CHECK(tokenizer_error("{\"x\":" + std::string(100000, '[')).message.find("64 levels") != std::string::npos);
  CHECK(tokenizer_error(vocab + std::string(100000, '[')).message.find("model.vocab[0]") != std::string::npos);
}

TEST_CASE("a message quotes no more than a part of a long file") {
  json file = small_file();
  file["model"]["type"] = std::string(100000, 'x') + "\xE4\xB8\xAD";
  CHECK(tokenizer_error(file.dump()).message.size() < 500);
  CHECK(tokenizer_error("{\"model\":{\"vocab\":{\"" + std::string(100000, 'x') + "\":\"y\"}}}").message.size() < 500);
  CHECK(tokenizer_error(std::string(100000, 'x')).message.size() < 500);
}
