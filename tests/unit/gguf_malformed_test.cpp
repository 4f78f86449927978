// Hostile GGUF bytes: every one must end in an Error, and nothing may be read or allocated on the file's word alone.
#include <catch2/catch.hpp>
#include <functional>

#include "format_bytes.h"
#include "gguf/reader.h"
#include "io/mapped_file.h"

using namespace quern;
using namespace quern::test;

namespace {

// The fields of a small valid file; a test sets one of them to something else.
struct Fields {
  uint32_t version = 3;
  uint64_t n_tensors = 2, n_keys = 3;
  uint64_t key_length = 1;
  uint32_t key_type = 4;
  uint32_t array_type = 4;
  uint64_t array_length = 2, string_length = 3;
  std::string second_key = "b";
  uint64_t tensor_name_length = 1;
  std::string second_tensor = "u";
  uint32_t n_dims = 2;
  int64_t ne0 = 4, ne1 = 2;
  uint32_t type = 0;
  uint64_t first_offset = 0, second_offset = 32;
  size_t data_bytes = 64;
  std::string extra_key;  // serialized, counted in n_keys
};

std::string build(const Fields& f) {
  Bytes b;
  b.raw("GGUF").put(f.version).put(f.n_tensors).put(f.n_keys);
  b.put(f.key_length).raw("a").put(f.key_type).put<uint32_t>(7);
  b.string(f.second_key).put<uint32_t>(9).put(f.array_type).put(f.array_length).put<uint32_t>(1).put<uint32_t>(2);
  b.string("c").put<uint32_t>(8).put(f.string_length).raw("xyz");
  b.raw(f.extra_key);
  b.put(f.tensor_name_length).raw("t").put(f.n_dims).put(f.ne0).put(f.ne1).put(f.type).put(f.first_offset);
  b.string(f.second_tensor).put<uint32_t>(1).put<int64_t>(8).put<uint32_t>(0).put(f.second_offset);
  b.pad(32);
  b.text.append(f.data_bytes, 'd');
  return b.text;
}

Error read_error(const std::string& text) {
  return error_of([&] { GgufReader reader(as_bytes(text), "f.gguf"); });
}

Error error_with(const std::function<void(Fields&)>& change) {
  Fields fields;
  change(fields);
  return read_error(build(fields));
}

Fields with_key(std::string_view name, uint32_t type, std::string_view value) {
  Fields f;
  Bytes b;
  b.string(name).put(type).raw(value);
  f.extra_key = b.text;
  f.n_keys = 4;
  return f;
}

std::string u32(uint32_t value) {
  return Bytes().put(value).text;
}

const uint64_t edges[] = {0,
                          1,
                          2,
                          3,
                          100,
                          0x7fffffff,
                          0x80000000,
                          0xffffffff,
                          0x100000000,
                          0x1fffffffffffffff,
                          0x2000000000000001,
                          0x7fffffffffffffff,
                          0x8000000000000000,
                          0xfffffffffffffff8,
                          0xffffffffffffffff};

}  // namespace

TEST_CASE("gguf: the builder's file is valid, with and without the last padding") {
  Fields fields;
  const std::string text = build(fields);
  const GgufReader reader(as_bytes(text), "f.gguf");
  CHECK(reader.get_uint("a") == 7);
  CHECK(reader.tensor("u").offset == 32);
  fields.ne1 = 1;  // 16 bytes, then padding
  CHECK(read_error(build(fields)).status == Status::ok);
}

TEST_CASE("gguf: every count and length at its edges") {
  for (const uint64_t edge : edges) {
    CAPTURE(edge);
    if (edge != 2) CHECK(error_with([&](Fields& f) { f.n_tensors = edge; }).status == Status::bad_file);
    if (edge != 3) CHECK(error_with([&](Fields& f) { f.n_keys = edge; }).status == Status::bad_file);
    if (edge != 1) CHECK(error_with([&](Fields& f) { f.key_length = edge; }).status == Status::bad_file);
    if (edge != 2) CHECK(error_with([&](Fields& f) { f.array_length = edge; }).status == Status::bad_file);
    if (edge != 3) CHECK(error_with([&](Fields& f) { f.string_length = edge; }).status == Status::bad_file);
    if (edge != 1) CHECK(error_with([&](Fields& f) { f.tensor_name_length = edge; }).status == Status::bad_file);
    CHECK(error_with([&](Fields& f) { f.first_offset = edge + (edge == 0); }).status == Status::bad_file);
    CHECK(error_with([&](Fields& f) { f.second_offset = edge; }).status == Status::bad_file);
    if (edge != 2 && edge != 1) {
      CHECK(error_with([&](Fields& f) { f.ne1 = static_cast<int64_t>(edge); }).status == Status::bad_file);
    }
    CHECK(error_with([&](Fields& f) { f.ne0 = static_cast<int64_t>(edge), f.ne1 = 100; }).status == Status::bad_file);
    if (edge <= 0xffffffff) {
      const auto small = static_cast<uint32_t>(edge);
      if (small != 2) CHECK(error_with([&](Fields& f) { f.n_dims = small; }).status == Status::bad_file);
      if (small != 2 && small != 3) CHECK(error_with([&](Fields& f) { f.version = small; }).status != Status::ok);
    }
  }
}

TEST_CASE("gguf: value types and element types") {
  for (const uint32_t type : {13u, 14u, 255u, 0x7fffffffu, 0xffffffffu}) {
    CHECK(error_with([&](Fields& f) { f.key_type = type; }).status == Status::bad_file);
    CHECK(error_with([&](Fields& f) { f.array_type = type; }).status == Status::bad_file);
  }
  const Error nested = error_with([](Fields& f) { f.array_type = 9; });
  CHECK(nested.message == "f.gguf: key 'b' is an array of arrays");
  CHECK(read_error(build(with_key("x", 7, "\x01"))).status == Status::ok);
  CHECK(read_error(build(with_key("x", 7, "\x02"))).message == "f.gguf: key 'x' is a bool that is neither 0 nor 1");
  const std::string bools = Bytes().put<uint32_t>(7).put<uint64_t>(2).raw("\x01\xff").text;
  CHECK(read_error(build(with_key("x", 9, bools))).status == Status::bad_file);
  const std::string empty = Bytes().put<uint32_t>(8).put<uint64_t>(0).text;
  CHECK(read_error(build(with_key("x", 9, empty))).status == Status::ok);
}

TEST_CASE("gguf: names that are empty, too long or come twice") {
  CHECK(error_with([](Fields& f) { f.second_key = "a"; }).message == "f.gguf: the key 'a' comes twice");
  CHECK(error_with([](Fields& f) { f.second_tensor = "t"; }).message == "f.gguf: the tensor 't' comes twice");
  CHECK(error_with([](Fields& f) { f.second_key = std::string(65536, 'k'); }).status == Status::bad_file);
  CHECK(error_with([](Fields& f) { f.second_key = ""; }).status == Status::bad_file);
  CHECK(error_with([](Fields& f) { f.second_tensor = std::string(63, 'n'); }).status == Status::ok);
  CHECK(error_with([](Fields& f) { f.second_tensor = std::string(64, 'n'); }).status == Status::bad_file);
  CHECK(error_with([](Fields& f) { f.second_tensor = ""; }).status == Status::bad_file);
}

TEST_CASE("gguf: tensor types, blocks and places") {
  for (const uint32_t type : {4u, 5u, 36u, 43u, 0xffffffffu}) {
    CHECK(error_with([&](Fields& f) { f.type = type; }).message.find("unknown type") != std::string::npos);
  }
  CHECK(error_with([](Fields& f) { f.type = 8; }).message.find("a multiple of 32 for Q8_0") != std::string::npos);
  CHECK(error_with([](Fields& f) { f.second_offset = 0; }).message.find("expected 32") != std::string::npos);
  CHECK(error_with([](Fields& f) { f.data_bytes = 63; }).message.find("past the end") != std::string::npos);
  CHECK(error_with([](Fields& f) { f.data_bytes = 65; }).message.find("1 bytes follow") != std::string::npos);
  // 2^61 floats and their bytes wrap to 0 in 64 bits.
  CHECK(error_with([](Fields& f) { f.ne0 = int64_t{1} << 31, f.ne1 = int64_t{1} << 31; }).status == Status::bad_file);
  CHECK(error_with([](Fields& f) { f.ne0 = int64_t{1} << 61, f.ne1 = 1; }).status == Status::bad_file);
  CHECK(error_with([](Fields& f) { f.ne0 = (int64_t{1} << 61) - 1, f.ne1 = 1; }).status == Status::bad_file);
}

TEST_CASE("gguf: the alignment") {
  for (const uint32_t bad : {0u, 3u, 33u, 0xffffffffu}) {
    const Error error = read_error(build(with_key("general.alignment", 4, u32(bad))));
    CHECK(error.message.find("expected a power of two") != std::string::npos);
  }
  CHECK(read_error(build(with_key("general.alignment", 4, u32(32)))).status == Status::ok);
  CHECK(read_error(build(with_key("general.alignment", 4, u32(64)))).status == Status::bad_file);
  CHECK(read_error(build(with_key("general.alignment", 4, u32(0x80000000)))).status == Status::bad_file);
  CHECK(read_error(build(with_key("general.alignment", 5, u32(32)))).message ==
        "f.gguf: key 'general.alignment' is i32, expected u32");
}

TEST_CASE("gguf: other files and versions") {
  CHECK(read_error("").status == Status::bad_file);
  CHECK(read_error("GGU").status == Status::bad_file);
  CHECK(read_error(std::string(100, '\0')).message.find("does not begin with") != std::string::npos);
  CHECK(error_with([](Fields& f) { f.version = 1; }).status == Status::unsupported);
  CHECK(error_with([](Fields& f) { f.version = 0x03000000; }).message.find("big-endian") != std::string::npos);
}

TEST_CASE("gguf: cut at every byte") {
  const std::string text = build({});
  for (size_t size = 0; size < text.size(); ++size) {
    CAPTURE(size);
    const std::string cut = text.substr(0, size);  // a copy, so that a sanitizer sees reads past it
    REQUIRE(read_error(cut).status == Status::bad_file);
  }
}

TEST_CASE("gguf: flipped bytes never do more than throw") {
  const std::string text = read_text_file(QUERN_TEST_DIR "/golden/formats/align32_gguf.bin", 1 << 20);
  for (size_t i = 0; i < text.size(); ++i) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string changed = text;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      error_of([&] {
        const GgufReader reader(as_bytes(changed), "f.gguf");
        for (const GgufKey& key : reader.keys()) gguf_value_text(key);
      });
    }
  }
  SUCCEED();
}
