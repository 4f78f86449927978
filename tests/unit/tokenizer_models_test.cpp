// BPE and Unigram: what a bad model is refused for, bounds on time, and the vocabularies of other files.
#include <catch2/catch.hpp>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "error.h"
#include "hub/hf_folder.h"
#include "tokenizers/sentencepiece.h"
#include "tokenizers/tokenizer.h"

using namespace quern;
using nlohmann::json;
using Ids = std::vector<int32_t>;

namespace {

json bpe(json vocab, json merges) {
  return {{"version", "1.0"}, {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
}

// vocab: JSON text, for lists of pairs would be taken for objects.
json unigram(const char* vocab) {
  return {{"version", "1.0"}, {"model", {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", json::parse(vocab)}}}};
}

Error model_error(const json& file) {
  try {
    Tokenizer::parse(file.dump(), "t.json");
  } catch (const Error& e) {
    return e;
  }
  return Error(Status::ok, "");
}

Ids ids(const json& file, std::string_view text) {
  Encoding out;
  Tokenizer::parse(file.dump(), "t.json")->encode(text, {}, out);
  return out.ids;
}

const json letters = {{"a", 0}, {"b", 1}, {"ab", 2}, {"aa", 3}};

// A SentencePiece model, field by field.
struct Proto {
  std::string bytes;
  static std::string varint(uint64_t v) {
    std::string out;
    for (; v >= 128; v >>= 7) out += static_cast<char>(v | 128);
    return out + static_cast<char>(v);
  }
  Proto& number(uint64_t field, uint64_t value) {
    bytes += varint(field << 3) + varint(value);
    return *this;
  }
  Proto& text(uint64_t field, const std::string& value) {
    bytes += varint(field << 3 | 2) + varint(value.size()) + value;
    return *this;
  }
  Proto& real(uint64_t field, float value) {
    char raw[4];
    std::memcpy(raw, &value, 4);
    bytes += varint(field << 3 | 5) + std::string(raw, 4);
    return *this;
  }
};

std::string spm_file(uint64_t type) {
  Proto file;
  const struct {
    const char* piece;
    float score;
    uint64_t kind;
  } pieces[] = {{"<unk>", 0, 2}, {"<s>", 0, 3}, {"</s>", 0, 3}, {"▁a", -1, 1},
                {"b", -2, 1},    {"▁", -3, 1},  {"a", -4, 1}};
  for (const auto& p : pieces) {
    file.text(1, Proto().text(1, p.piece).real(2, p.score).number(3, p.kind).bytes);
  }
  file.text(2, Proto().number(3, type).number(40, 0).bytes);
  file.text(3, Proto().number(3, 1).number(4, 1).bytes);
  return file.bytes;
}

HfFolder folder(const std::map<std::string, std::string>& files) {
  return HfFolder::read("dir", [&](const std::string& path, size_t) -> std::optional<std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return std::nullopt;
    return found->second;
  });
}

Error tokenizer_folder_error(const std::map<std::string, std::string>& files) {
  try {
    folder(files);
  } catch (const Error& e) {
    return e;
  }
  return Error(Status::ok, "");
}

Ids folder_ids(const std::map<std::string, std::string>& files, std::string_view text) {
  Encoding out;
  Tokenizer::parse(folder(files).tokenizer_json, "built")->encode(text, {}, out);
  return out.ids;
}

std::string config(const char* type) {
  return "{\"model_type\":\"" + std::string(type) + "\"}";
}

}  // namespace

TEST_CASE("BPE merges by rank, the leftmost first, in both forms of the list") {
  CHECK(ids(bpe(letters, {"a b", "a a"}), "aaab") == Ids{3, 2});
  CHECK(ids(bpe(letters, json::parse(R"([["a", "a"], ["a", "b"]])")), "aaab") == Ids{3, 2});
  CHECK(ids(bpe(letters, json::parse(R"([["a", "a"], ["a", "b"]])")), "aab") == Ids{3, 1});
  CHECK(ids(bpe(letters, json::array()), "aab") == Ids{0, 0, 1});
  CHECK(ids(bpe(letters, {"a b"}), "azb") == Ids{2});  // no unk_token: dropped, and its neighbours merge
}

TEST_CASE("a word of a megabyte is merged in time") {
  const json file = bpe(letters, {"a b", "a a"});
  std::string text(size_t{1} << 20, 'a');
  CHECK(ids(file, text).size() == text.size() / 2);
  for (size_t i = 1; i < text.size(); i += 2) text[i] = 'b';
  CHECK(ids(file, text).size() == text.size() / 2);
}

TEST_CASE("a bad BPE or Unigram is an Error that says why") {
  const auto changed = [](json file, const char* key, json value) {
    file["model"][key] = value;
    return file;
  };
  const json b = bpe(letters, {"a b"}), u = unigram(R"([["<unk>", 0], ["a", -1]])");
  const struct {
    json file;
    Status status;
    const char* says;
  } cases[] = {
      {bpe(letters, {"a c"}), Status::bad_file, "merges[0] needs the piece \"c\""},
      {bpe(letters, {"a b", "b b"}), Status::bad_file, "merges[1] needs the piece \"bb\""},
      {bpe(letters, {"ab"}), Status::bad_file, "model.merges[0] should be"},
      {bpe(letters, {"a b c"}), Status::bad_file, "model.merges[0] should be"},
      {bpe(letters, {{"a", "b", "c"}}), Status::bad_file, "model.merges[0] should be"},
      {bpe(letters, {{"a"}}), Status::bad_file, "model.merges[0] should be"},
      {bpe(letters, {3}), Status::bad_file, "model.merges[0] should be"},
      {bpe({{"a", 0}, {"b", 2}}, json::array()), Status::bad_file, "id 2 is not one of 0"},
      {bpe({{"a", 0}, {"b", 0}}, json::array()), Status::bad_file, "two pieces"},
      {bpe({{"a", 0}, {"b", -1}}, json::array()), Status::bad_file, "id -1"},
      {bpe({{"a", 0.5}}, json::array()), Status::bad_file, "whole number"},
      {changed(b, "dropout", 0.1), Status::unsupported, "model.dropout is above 0"},
      {changed(b, "unk_token", "<unk>"), Status::bad_file, "\"<unk>\", which is not in its vocab"},
      {changed(b, "continuing_subword_prefix", "##"), Status::bad_file, "shorter than continuing_subword_prefix"},
      {changed(u, "unk_id", 2), Status::bad_file, "model.unk_id should be at most 1"},
      {changed(u, "unk_id", -1), Status::bad_file, "model.unk_id"},
      {unigram(R"([["<unk>", 0], ["a", "b"]])"), Status::bad_file, "model.vocab[1] should be [piece, score]"},
      {unigram(R"([["<unk>", 0], ["a"]])"), Status::bad_file, "model.vocab[1] should be [piece, score]"},
      {unigram(R"([["<unk>", 0], ["a", null]])"), Status::bad_file, "model.vocab[1] should be [piece, score]"},
      {unigram(R"([["<unk>", 0], ["a", 1, 2]])"), Status::bad_file, "model.vocab[1] should be [piece, score]"},
      {unigram(R"([["<unk>", 0], "a"])"), Status::bad_file, "model.vocab[1] should be [piece, score]"},
      {unigram(R"([["a", 0], ["a", -1]])"), Status::bad_file, "\"a\" twice"},
      {changed(b, "vocab", {{"a", 0}, {"b", {1}}}), Status::bad_file, "model.vocab[\"b\"]"},
  };
  for (const auto& c : cases) {
    const Error e = model_error(c.file);
    INFO(c.says << ": " << e.message);
    CHECK(e.status == c.status);
    CHECK(e.message.find(c.says) != std::string::npos);
  }
  CHECK(model_error(changed(b, "dropout", 0)).status == Status::ok);
  CHECK_THROWS_AS(ids(changed(u, "unk_id", nullptr), "b"), Error);
  CHECK(ids(changed(u, "unk_id", nullptr), "a") == Ids{1});
}

TEST_CASE("a SentencePiece model, whole and broken") {
  const std::string file = spm_file(1);
  const SentencePieceModel model = read_sentencepiece(file, "s");
  CHECK(model.vocabulary.pieces.size() == 7);
  CHECK(model.vocabulary.scores[3] == -1);
  CHECK(model.type == SentencePieceModel::Type::unigram);
  std::mt19937 rng(3);
  for (size_t n = 0; n < file.size(); ++n) {
    try {
      read_sentencepiece(std::string_view(file).substr(0, n), "s");
    } catch (const Error& e) {
      CHECK(e.status == Status::bad_file);
    }
    for (int k = 0; k < 20; ++k) {
      std::string damaged = file;
      damaged[n] = static_cast<char>(rng());
      try {
        read_sentencepiece(damaged, "s");
      } catch (const Error& e) {
        CHECK((e.status == Status::bad_file || e.status == Status::unsupported));
      }
    }
  }
  CHECK_THROWS_AS(read_sentencepiece(spm_file(3), "s"), Error);
  CHECK_THROWS_AS(read_sentencepiece("", "s"), Error);
  CHECK_THROWS_AS(read_sentencepiece(std::string(100, '\xFF'), "s"), Error);
}

TEST_CASE("a folder's vocabulary becomes a tokenizer") {
  CHECK(folder_ids({{"config.json", config("llama")}, {"tokenizer.model", spm_file(2)}}, "ab") == Ids{1, 3, 4});
  CHECK(folder_ids({{"config.json", config("xlm-roberta")}, {"sentencepiece.bpe.model", spm_file(1)}}, "a b") ==
        Ids{0, 4, 6, 5, 2});
  const std::string words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n";
  CHECK(folder_ids({{"config.json", config("bert")}, {"vocab.txt", words}}, "AB x") == Ids{2, 5, 6, 1, 3});
  const std::map<std::string, std::string> cased = {
      {"config.json", config("bert")}, {"vocab.txt", words}, {"tokenizer_config.json", "{\"do_lower_case\":false}"}};
  CHECK(folder_ids(cased, "AB a") == Ids{2, 1, 5, 3});
  const std::map<std::string, std::string> gpt2 = {{"config.json", config("gpt2")},
                                                   {"vocab.json", "{\"a\":0,\"b\":1,\"ab\":2,\"<|endoftext|>\":3}"},
                                                   {"merges.txt", "#version: 0.2\na b\n"}};
  CHECK(folder_ids(gpt2, "ab<|endoftext|>b") == Ids{2, 3, 1});
  auto files = gpt2;
  files["vocab.json"] = "{\"a\":0,\"b\":2}";
  CHECK(tokenizer_folder_error(files).message.find("should have an id from 0 to 1") != std::string::npos);
  files.erase("merges.txt");
  CHECK(tokenizer_folder_error(files).status == Status::not_found);
  files = gpt2;
  files["config.json"] = config("unheard-of");
  CHECK(tokenizer_folder_error(files).status == Status::unsupported);
  CHECK(tokenizer_folder_error({{"config.json", config("llama")}, {"tokenizer.model", spm_file(1)}}).status ==
        Status::bad_file);
  CHECK(tokenizer_folder_error({{"config.json", config("rwkv")}, {"tokenizer.model", spm_file(1)}}).status ==
        Status::unsupported);
}
