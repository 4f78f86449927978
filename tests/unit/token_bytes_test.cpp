// The bytes of single tokens, on the tokenizer fixtures: in the middle of a text they are what the decoder makes of
// them.
#include "tokenizers/token_bytes.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

using namespace quern;
using nlohmann::json;

namespace {

std::string contents(const std::string& name) {
  std::ifstream file(std::string(QUERN_TEST_DIR "/golden/tokenizers/") + name, std::ios::binary);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

std::unique_ptr<const Tokenizer> tokenizer_fixture(const std::string& name) {
  return Tokenizer::parse(contents(name), name);
}

}  // namespace

TEST_CASE("token bytes: of a text's ids they are the text") {
  for (const char* name : {"tiny_byte_bpe", "tiny_byte_unigram", "tiny_spm_bpe"}) {
    INFO(name);
    const auto tokenizer = tokenizer_fixture(std::string(name) + ".json");
    const TokenBytes bytes(*tokenizer);
    const std::string text = "Grüße an die Welt, 世界! 😀 x = 12;\n\tif (a) { b }";
    EncodeOptions options;
    options.add_special = false;
    Encoding encoding;
    tokenizer->encode(text, options, encoding);
    std::string joined;
    for (const int32_t id : encoding.ids) joined += bytes(id);
    std::string decoded = tokenizer->decode(encoding.ids, true);
    if (joined.starts_with(' ') && !decoded.starts_with(' ')) joined.erase(0, 1);  // dropped at a text's start only
    CHECK(joined == decoded);
  }
}

TEST_CASE("token bytes: each token behind others is what the decoder adds, where that is whole characters") {
  for (const char* name : {"tiny_byte_bpe", "tiny_byte_unigram", "tiny_dropping_bpe", "tiny_prefix_bpe", "tiny_spm_bpe",
                           "tiny_suffix_bpe", "tiny_unigram", "tiny_wordpiece"}) {
    INFO(name);
    const auto tokenizer = tokenizer_fixture(std::string(name) + ".json");
    const TokenBytes bytes(*tokenizer);
    int32_t around = -1;  // a token of one letter
    for (int32_t id = 0; static_cast<size_t>(id) < tokenizer->vocab_size() && around < 0; ++id)
      if (tokenizer->piece(id) == "a") around = id;
    REQUIRE(around >= 0);
    const std::string begin = tokenizer->decode(std::vector<int32_t>{around}, true);
    size_t n_compared = 0;
    for (int32_t id = 0; static_cast<size_t>(id) < tokenizer->vocab_size(); ++id) {
      CHECK(bytes(id) == token_bytes(*tokenizer, id));
      const std::string all = tokenizer->decode(std::vector<int32_t>{around, id, around}, true);
      const std::string last = bytes(around);
      if (all.find("\xEF\xBF\xBD") != std::string::npos) continue;  // a part of a character
      // A suffix that means a space is dropped at the end of a text.
      std::string expected = (std::string(name) == "tiny_suffix_bpe" ? last : begin) + bytes(id) + last;
      INFO(id << " " << tokenizer->piece(id));
      CHECK(all == expected);
      ++n_compared;
    }
    CHECK(n_compared > 300);
  }
}

TEST_CASE("token bytes: byte tokens, special tokens, ids that there are not") {
  const auto spm = tokenizer_fixture("tiny_spm_bpe.json");
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof(name), "<0x%02X>", static_cast<unsigned>(byte));
    const int32_t id = spm->id(name);
    REQUIRE(id >= 0);
    CHECK(token_bytes(*spm, id) == std::string(1, static_cast<char>(byte)));
  }
  CHECK(token_bytes(*spm, spm->id("</s>")) == "");
  CHECK(token_bytes(*spm, spm->id("▁")) == " ");
  CHECK(token_bytes(*spm, -1) == "");
  CHECK(token_bytes(*spm, 1 << 30) == "");
  const auto bpe = tokenizer_fixture("tiny_byte_bpe.json");
  CHECK(token_bytes(*bpe, bpe->id("<|endoftext|>")) == "");
  CHECK(token_bytes(*bpe, bpe->id("Ġ")) == " ");
  std::set<std::string> singles;
  for (int32_t id = 0; static_cast<size_t>(id) < bpe->vocab_size(); ++id)
    if (token_bytes(*bpe, id).size() == 1) singles.insert(token_bytes(*bpe, id));
  CHECK(singles.size() == 256);
}
