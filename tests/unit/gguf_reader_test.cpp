// Files that the reference library wrote, read back value by value; see tests/reference/make_format_fixtures.py.
#include <catch2/catch.hpp>

#include "format_bytes.h"
#include "gguf/reader.h"
#include "io/mapped_file.h"

using namespace quern;
using namespace quern::test;

namespace {

std::string fixture(const char* name) {
  return read_text_file(std::string(QUERN_TEST_DIR "/golden/formats/") + name, 1 << 20);
}

void check_keys(const GgufReader& reader) {
  CHECK(reader.get_string("general.architecture") == "bert");
  CHECK(reader.get_uint("test.u8") == 200);
  CHECK(reader.get_int("test.i8") == -100);
  CHECK(reader.get_uint("test.u16") == 60000);
  CHECK(reader.get_int("test.i16") == -30000);
  CHECK(reader.get_uint("test.u32") == 4000000000u);
  CHECK(reader.get_int("test.i32") == -2000000000);
  CHECK(reader.get_uint("test.u64") == (uint64_t{1} << 63) + 5);
  CHECK(reader.get_int("test.i64") == -(int64_t{1} << 62));
  CHECK(reader.get_float("test.f32") == double{0.1f});
  CHECK(reader.get_float("test.f64") == 1e-12);
  CHECK(reader.get_bool("test.yes"));
  CHECK_FALSE(reader.get_bool("test.no"));
  CHECK(reader.get_string("test.text") == "Grüße, 世界");
  CHECK(reader.get_strings("test.strings") == std::vector<std::string_view>{"a", "", "βγ"});
  CHECK(reader.get_array<int32_t>("test.ints").to_vector() == std::vector<int32_t>{1, -2, 3});
  CHECK(reader.get_array<float>("test.floats")[1] == -0.25f);
}

void check_floats(const TensorInfo& tensor, size_t count) {
  REQUIRE(tensor.type == ggml_type::f32);
  const GgufArray<float> values(tensor.data.data(), tensor.data.size() / 4);
  REQUIRE(values.size() == count);
  for (size_t i = 0; i < count; ++i) REQUIRE(values[i] == static_cast<float>(i) / 4 - 3);
}

}  // namespace

TEST_CASE("gguf: a file of the reference writer") {
  const auto [name, alignment] = GENERATE(std::pair("align32_gguf.bin", 32u), std::pair("align64_gguf.bin", 64u));
  std::string text = fixture(name);
  const uint32_t version = GENERATE(2u, 3u);
  std::memcpy(text.data() + 4, &version, 4);
  const GgufReader reader(as_bytes(text), name);
  CHECK(reader.version() == version);
  CHECK(reader.alignment() == alignment);
  CHECK(reader.data_offset() % alignment == 0);
  check_keys(reader);
  REQUIRE(reader.tensors().size() == 5);
  check_floats(reader.tensor("token_embd.weight"), 15);
  CHECK(reader.tensor("token_embd.weight").ne == std::array<int64_t, 4>{5, 3, 1, 1});
  check_floats(reader.tensor("cube"), 24);
  CHECK(reader.tensor("cube").ne == std::array<int64_t, 4>{4, 3, 2, 1});
  CHECK(reader.tensor("cube").n_dims == 3);
  CHECK(reader.tensor("half").type == ggml_type::f16);
  const TensorInfo& blocks = reader.tensor("blocks");
  CHECK(blocks.type == ggml_type::q8_0);
  CHECK(blocks.ne[0] == 64);
  CHECK(blocks.size == 4 * 34);
  CHECK(GgufArray<int32_t>(reader.tensor("ids").data.data(), 7)[6] == 1);
  for (const TensorInfo& tensor : reader.tensors()) CHECK(tensor.offset % alignment == 0);
}

TEST_CASE("gguf: missing keys, other types and ranges are errors that name the key") {
  const std::string text = fixture("align32_gguf.bin");
  const GgufReader reader(as_bytes(text), "f.gguf");
  CHECK_FALSE(reader.has("test.none"));
  CHECK(reader.find("none") == nullptr);
  CHECK(error_of([&] { reader.get_uint("test.none"); }).message == "f.gguf: the key 'test.none' is missing");
  CHECK(error_of([&] { reader.get_uint("test.f32"); }).message == "f.gguf: key 'test.f32' is f32, expected an integer");
  CHECK(error_of([&] { reader.get_uint("test.i8"); }).message == "f.gguf: key 'test.i8' is -100, expected at least 0");
  CHECK(error_of([&] { reader.get_int("test.u64"); }).status == Status::bad_file);
  CHECK(error_of([&] { reader.get_float("test.u8"); }).status == Status::bad_file);
  CHECK(error_of([&] { reader.get_bool("test.u8"); }).status == Status::bad_file);
  CHECK(error_of([&] { reader.get_string("test.strings"); }).status == Status::bad_file);
  CHECK(error_of([&] { reader.get_strings("test.ints"); }).status == Status::bad_file);
  CHECK(error_of([&] { reader.get_array<float>("test.ints"); }).message ==
        "f.gguf: key 'test.ints' is array of i32, expected array of f32");
  CHECK(error_of([&] { reader.tensor("none"); }).message == "f.gguf: the tensor 'none' is missing");
  CHECK(reader.get_uint_or("test.none", 7) == 7);
  CHECK(reader.get_string_or("test.none", "x") == "x");
  CHECK(error_of([&] { reader.get_uint_or("test.text", 7); }).status == Status::bad_file);
}

TEST_CASE("gguf: whole numbers of any type are read alike") {
  const auto file = [](uint32_t type, auto value) {
    Bytes b;
    b.raw("GGUF").put<uint32_t>(3).put<uint64_t>(0).put<uint64_t>(1).string("k");
    b.put<uint32_t>(9).put<uint32_t>(type).put<uint64_t>(2).put(value).put(value).pad(32);
    return b.text;
  };
  const auto read = [](const std::string& text) { return GgufReader(as_bytes(text), "f.gguf").get_integers("k"); };
  using Both = std::vector<int64_t>;
  CHECK(read(file(0, uint8_t{200})) == Both{200, 200});
  CHECK(read(file(1, int8_t{-2})) == Both{-2, -2});
  CHECK(read(file(2, uint16_t{60000})) == Both{60000, 60000});
  CHECK(read(file(3, int16_t{-3})) == Both{-3, -3});
  CHECK(read(file(4, uint32_t{4000000000})) == Both{4000000000, 4000000000});
  CHECK(read(file(5, int32_t{-5})) == Both{-5, -5});
  CHECK(read(file(10, uint64_t{7})) == Both{7, 7});
  CHECK(read(file(11, int64_t{-9})) == Both{-9, -9});
  CHECK(error_of([&] { read(file(10, uint64_t{1} << 63)); }).status == Status::bad_file);
  CHECK(error_of([&] { read(file(6, 1.0f)); }).message ==
        "f.gguf: key 'k' is array of f32, expected array of whole numbers");
}

TEST_CASE("gguf: keys are listed in file order with readable values") {
  const std::string text = fixture("align64_gguf.bin");
  const GgufReader reader(as_bytes(text), "f.gguf");
  std::string listing;
  for (const GgufKey& key : reader.keys()) {
    if (key.name.starts_with("test.")) {
      listing += std::string(key.name.substr(5)) + " " + gguf_type_text(key) + " " + gguf_value_text(key) + "\n";
    }
  }
  CHECK(listing ==
        "u8 u8 200\ni8 i8 -100\nu16 u16 60000\ni16 i16 -30000\nu32 u32 4000000000\ni32 i32 -2000000000\n"
        "u64 u64 9223372036854775813\ni64 i64 -4611686018427387904\nf32 f32 0.1\nf64 f64 1e-12\nyes bool true\n"
        "no bool false\ntext string \"Grüße, 世界\"\nstrings array of string [\"a\", \"\", \"βγ\"] (3)\n"
        "ints array of i32 [1, -2, 3] (3)\nfloats array of f32 [0.5, -0.25] (2)\n");
}

TEST_CASE("gguf: the type table computes sizes and refuses what does not fit") {
  uint64_t bytes = 0;
  const auto size = [&](std::string_view name, std::vector<int64_t> ne) {
    return tensor_bytes(*find_ggml_type(name), ne, &bytes);
  };
  CHECK((size("Q4_K", {512, 3}) && bytes == 6 * 144));
  CHECK((size("F32", {}) && bytes == 4));
  CHECK_FALSE(size("Q8_0", {}));
  CHECK_FALSE(size("Q8_0", {33}));
  CHECK_FALSE(size("F32", {0}));
  CHECK_FALSE(size("F32", {-1}));
  CHECK_FALSE(size("F32", {int64_t{1} << 62}));
  CHECK_FALSE(size("I8", {int64_t{1} << 32, int64_t{1} << 32}));
  CHECK((size("I8", {INT64_MAX}) && bytes == INT64_MAX));
  for (const GgmlType& type : ggml_types()) CHECK(find_ggml_type(type.id) == &type);
  for (const uint32_t removed : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u, 43u, UINT32_MAX}) {
    CHECK(find_ggml_type(removed) == nullptr);
  }
}
