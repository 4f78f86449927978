// Broken tables: every field of every table damaged is an Error or a tokenizer that still gives ids within bounds,
// never a read out of bounds (run under the sanitizers).
#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <random>
#include <string>

#include "error.h"
#include "saved_tables.h"

using namespace quern;

namespace {

std::string read_golden(const std::string& name) {
  std::ifstream file(std::string(QUERN_TEST_DIR) + "/golden/tokenizers/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Saved {
  explicit Saved(const char* name_) : name(name_), json(read_golden(name)), tables(*Tokenizer::parse(json, name)) {
    outline = Tokenizer::outline(json, name);
  }
  // Parses over the tables as they are now; true if that is no Error.
  bool works() const {
    std::unique_ptr<const Tokenizer> tokenizer;
    try {
      tokenizer = Tokenizer::parse(outline, name, true, &tables.source());
    } catch (const Error& e) {
      INFO(e.message);
      CHECK(e.status == Status::bad_file);
      return false;
    } catch (...) {
      FAIL("not an Error");
    }
    try {
      Encoding out;
      tokenizer->encode("The quick brown fox, naïve 東京 <s> \xF0\x9F\x8C\x8D antidisestablishmentarianism", {}, out);
      for (const int32_t id : out.ids) CHECK((id >= 0 && static_cast<size_t>(id) < tokenizer->vocab_size()));
      tokenizer->decode(out.ids, false);
    } catch (const Error&) {  // a text that the damaged tokenizer has no token for
    }
    return true;
  }
  std::string name, json, outline;
  SavedTables tables;
};

constexpr const char* tokenizers[] = {"tiny_wordpiece.json", "tiny_spm_bpe.json", "tiny_prefix_bpe.json",
                                      "tiny_unigram.json", "tiny_byte_unigram.json"};

}  // namespace

TEST_CASE("a table that is missing, cut or of another size is an Error that names it") {
  for (const char* name : tokenizers) {
    Saved saved(name);
    CHECK(saved.works());
    std::vector<std::string> names;
    for (const auto& [table, bytes] : saved.tables.tables) names.push_back(table);
    for (const std::string& table : names) {
      INFO(name << " " << table);
      std::vector<std::byte>& bytes = saved.tables.tables[table];
      const std::vector<std::byte> whole = bytes;
      if (whole.size() == 1) continue;
      for (const size_t size : {size_t{1}, size_t{2}, whole.size() / 3, whole.size() - 1}) {
        bytes.resize(std::min(size, whole.size()));
        const bool none = table == "joined_chars" && bytes.size() == 1;  // which is allowed: no cuts
        CHECK(saved.works() == none);
        bytes = whole;
      }
      auto node = saved.tables.tables.extract(table);
      CHECK(!saved.works());
      saved.tables.tables.insert(std::move(node));
    }
  }
}

TEST_CASE("damaged entries of tables never lead out of bounds") {
  std::mt19937 rng(5);
  for (const char* name : tokenizers) {
    Saved saved(name);
    for (auto& [table, bytes] : saved.tables.tables) {
      const std::vector<std::byte> whole = bytes;
      for (int round = 0; round < 60 && whole.size() > 1; ++round) {
        const size_t at = 1 + rng() % (bytes.size() - 1);
        const size_t n = std::min<size_t>(bytes.size() - at, 1 + rng() % 8);
        const int value = round % 3 == 0 ? 0xFF : round % 3 == 1 ? 0 : static_cast<int>(rng() & 0xFF);
        std::memset(bytes.data() + at, value, n);
        if (round % 10 == 9) bytes = whole;
        saved.works();
      }
      bytes = whole;
      std::memset(bytes.data() + 1, 0xFF, bytes.size() - 1);
      saved.works();
      std::memset(bytes.data() + 1, 0, bytes.size() - 1);
      saved.works();
      bytes = whole;
    }
  }
}
