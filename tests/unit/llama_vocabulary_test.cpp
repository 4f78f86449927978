// What is written for llama.cpp is the same tokenizer: read back by from_gguf, it gives the same ids.
#include "convert/llama_vocabulary.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "format_bytes.h"
#include "gguf/reader.h"
#include "io/mapped_file.h"
#include "tokenizers/from_gguf.h"

using namespace quern;
using namespace quern::test;
using PlainJson = nlohmann::json;

namespace {

const char* const kTexts[] = {"Hello, wide world! It's 1234.5 o'clock.",
                              "  two  spaces, then\nlines\n\n and\ttabs ",
                              "Größe, naïve, 東京 and \xF0\x9F\x8C\x8D",
                              "def f(x):\n    return x ** 2",
                              "a",
                              ""};

PlainJson golden(const std::string& name) {
  return PlainJson::parse(
      read_text_file(std::string(QUERN_TEST_DIR) + "/golden/tokenizers/tiny_" + name + ".json", size_t{1} << 24));
}

// The file's keys, for as many rows as the tokenizer has tokens and `more`; empty: nothing was written.
struct Written {
  Written(const PlainJson& json, const TrustedStrings& specials, int64_t more = 0)
      : text(json.dump()), tokenizer(Tokenizer::parse(text, "tokenizer.json")) {
    const std::string path = folder.file("m");
    GgufWriter writer(path);
    writer.set_string("general.architecture", "llama");
    const int64_t rows = static_cast<int64_t>(tokenizer->vocab_size()) + more;
    done = write_llama_vocabulary(writer, {*tokenizer, text, specials, rows, 1});
    writer.begin();
    writer.commit();
    file = MappedFile::open(path);
    gguf = std::make_unique<GgufReader>(file.bytes(), path);
  }
  void check_same_ids() const {
    const auto again = Tokenizer::parse(tokenizer_json_from_gguf(*gguf), "rebuilt");
    for (const char* one : kTexts) {
      Encoding a, b;
      tokenizer->encode(one, {}, a);
      again->encode(one, {}, b);
      CAPTURE(one);
      CHECK(a.ids == b.ids);
    }
  }
  ScratchFolder folder;
  std::string text;
  std::unique_ptr<const Tokenizer> tokenizer;
  bool done = false;
  MappedFile file;
  std::unique_ptr<GgufReader> gguf;
};

const PlainJson kSmolSplit = PlainJson::parse(R"({"type": "Sequence", "pretokenizers": [
    {"type": "Digits", "individual_digits": true}, {"type": "ByteLevel", "add_prefix_space": false}]})");

}  // namespace

TEST_CASE("llama.cpp's keys: byte-level BPE") {
  PlainJson json = golden("byte_bpe");
  SECTION("GPT-2's split") {
    const Written w(json, {{"eos_token", "<|endoftext|>"}});
    REQUIRE(w.done);
    CHECK(w.gguf->get_string("tokenizer.ggml.model") == "gpt2");
    CHECK(w.gguf->get_string("tokenizer.ggml.pre") == "gpt-2");
    CHECK_FALSE(w.gguf->get_bool_or("tokenizer.ggml.add_bos_token", true));
    CHECK(w.gguf->get_strings("tokenizer.ggml.merges").size() == json["model"]["merges"].size());
    const int32_t end = w.tokenizer->id("<|endoftext|>");
    CHECK(w.gguf->get_uint("tokenizer.ggml.eos_token_id") == static_cast<uint64_t>(end));
    CHECK(w.gguf->get_array<int32_t>("tokenizer.ggml.token_type")[static_cast<size_t>(end)] == 3);
    w.check_same_ids();
  }
  SECTION("digits apart, more rows than tokens, a token before texts") {
    json["pre_tokenizer"] = kSmolSplit;
    json["post_processor"] = {
        {"type", "TemplateProcessing"},
        {"single",
         {{{"SpecialToken", {{"id", "<|endoftext|>"}, {"type_id", 0}}}},
          {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
        {"pair", PlainJson::array()},
        {"special_tokens",
         {{"<|endoftext|>",
           {{"id", "<|endoftext|>"}, {"ids", {json["added_tokens"][0]["id"]}}, {"tokens", {"<|endoftext|>"}}}}}}};
    json["post_processor"]["pair"] = json["post_processor"]["single"];
    json["post_processor"]["pair"].push_back({{"Sequence", {{"id", "B"}, {"type_id", 0}}}});
    const Written w(json, {}, 3);
    REQUIRE(w.done);
    CHECK(w.gguf->get_string("tokenizer.ggml.pre") == "smollm");
    CHECK(w.gguf->get_bool_or("tokenizer.ggml.add_bos_token", false));
    const size_t n = w.tokenizer->vocab_size();
    REQUIRE(w.gguf->get_strings("tokenizer.ggml.tokens").size() == n + 3);
    CHECK(w.gguf->get_strings("tokenizer.ggml.tokens")[n] == "[PAD" + std::to_string(n) + "]");
    CHECK(w.gguf->get_array<int32_t>("tokenizer.ggml.token_type")[n] == 5);
    w.check_same_ids();
  }
  SECTION("a split that llama.cpp has not") {
    json["pre_tokenizer"]["add_prefix_space"] = true;
    const Written w(json, {});
    CHECK_FALSE(w.done);
    CHECK_FALSE(w.gguf->has("tokenizer.ggml.model"));
  }
}

TEST_CASE("llama.cpp's keys: SentencePiece's BPE") {
  PlainJson json = golden("spm_bpe");
  SECTION("with a space before") {
    const Written w(json, {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
    REQUIRE(w.done);
    CHECK(w.gguf->get_string("tokenizer.ggml.model") == "llama");
    CHECK(w.gguf->get_bool_or("tokenizer.ggml.add_space_prefix", false));
    const auto types = w.gguf->get_array<int32_t>("tokenizer.ggml.token_type");
    CHECK(types[static_cast<size_t>(w.tokenizer->id("<unk>"))] == 2);
    CHECK(types[static_cast<size_t>(w.tokenizer->id("<0x41>"))] == 6);
    w.check_same_ids();
  }
  SECTION("merges in an order that no scores have") {
    // A piece's merges with another's between them.
    PlainJson merges = PlainJson::array();
    for (const PlainJson& merge : json["model"]["merges"]) merges.push_back(merge);
    merges.push_back(merges[0]);
    json["model"]["merges"] = merges;
    CHECK_FALSE(Written(json, {}).done);
  }
}

TEST_CASE("llama.cpp's keys: Unigram and WordPiece") {
  PlainJson json = golden("unigram");
  CHECK_FALSE(Written(json, {}).done);  // it does not cut at spaces
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "always"}, {"split", true}};
  const Written unigram(json, {});
  REQUIRE(unigram.done);
  CHECK(unigram.gguf->get_string("tokenizer.ggml.model") == "t5");
  unigram.check_same_ids();
  const Written wordpiece(golden("wordpiece"), {});
  REQUIRE(wordpiece.done);
  CHECK(wordpiece.gguf->get_string("tokenizer.ggml.model") == "bert");
  wordpiece.check_same_ids();
}
