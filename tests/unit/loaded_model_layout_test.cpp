// Model files of layout 1, which hold all of tokenizer.json, still load and give the same.
#include <catch2/catch.hpp>

#include "../golden/tiny_bert.h"
#include "gguf/reader.h"
#include "sources/gguf_layout.h"

namespace quern::test {
namespace {

// A file of today's layout made into one of layout 1: tokenizer.json goes in before the other keys, and the tables get
// names that nobody knows. What is put in is a multiple of the alignment long, so that the data stays where it must be.
std::string as_layout_1(std::string file, std::string tokenizer_json) {
  const auto put_in = [&] {
    return Bytes{}.string("tokenizer.huggingface.json").put<uint32_t>(8).string(tokenizer_json).text;
  };
  while (put_in().size() % 64 != 0) tokenizer_json += ' ';
  uint64_t n_keys = 0;
  std::memcpy(&n_keys, file.data() + 16, sizeof n_keys);
  file.replace(16, 8, Bytes{}.put<uint64_t>(n_keys + 1).text);
  for (size_t at = 0; (at = file.find("quern.tokenizer.", at)) != std::string::npos;) file[at] = 'x';
  const std::string layout = Bytes{}.string("quern.layout_version").put<uint32_t>(4).text;
  const size_t at = file.find(layout);
  REQUIRE(at != std::string::npos);
  file.replace(at + layout.size(), 4, Bytes{}.put<uint32_t>(1).text);
  return file.insert(24, put_in());
}

}  // namespace

TEST_CASE("a file of layout 1 loads and gives the same ids") {
  ScratchFolder scratch;
  const std::string path = convert_to(scratch, "q8");
  const std::string json = read_text_file(tiny_bert() + "/tokenizer.json", 1 << 24);
  scratch.write("old", as_layout_1(read_text_file(path, 1 << 24), json));
  const auto now = load_model(path), old = load_model(scratch.file("old"));
  const std::string now_bytes = read_text_file(path, 1 << 24), old_bytes = read_text_file(scratch.file("old"), 1 << 24);
  const GgufReader now_file(as_bytes(now_bytes), "now"), old_file(as_bytes(old_bytes), "old");
  CHECK(now_file.get_uint("quern.layout_version") == kLayoutVersion);
  CHECK(old_file.get_uint("quern.layout_version") == 1);
  CHECK_FALSE(now_file.has("tokenizer.huggingface.json"));
  CHECK_FALSE(old_file.has("quern.tokenizer.json"));
  CHECK(old->fingerprint == now->fingerprint);
  Encoding a, b;
  for (const char* text : {"the quick fox", "", "Größe 東京 unbelievably"}) {
    now->tokenizer->encode(text, {}, a);
    old->tokenizer->encode(text, {}, b);
    CHECK(a.ids == b.ids);
  }
}

}  // namespace quern::test
