// What the writer writes, the reader reads; and every misuse is an Error that leaves no file behind.
#include <catch2/catch.hpp>
#include <numeric>

#include "format_bytes.h"
#include "gguf/reader.h"
#include "gguf/writer.h"
#include "io/mapped_file.h"

using namespace quern;
using namespace quern::test;

namespace {

void write_sample(const std::string& path, uint32_t alignment) {
  GgufWriter w(path, alignment);
  w.set_string("general.architecture", "bert");
  w.set_u8("u8", 200);
  w.set_i8("i8", -3);
  w.set_u16("u16", 60000);
  w.set_i16("i16", -30000);
  w.set_u32("u32", 4000000000);
  w.set_i32("i32", -7);
  w.set_u64("u64", UINT64_MAX);
  w.set_i64("i64", INT64_MIN);
  w.set_f32("f32", 0.5f);
  w.set_f64("f64", 1e-300);
  w.set_bool("yes", true);
  const std::vector<std::string> strings = {"a", "", std::string("n\0l", 3)};
  w.set_strings("strings", strings);
  w.set_array("i32s", std::vector<int32_t>{-1, 2});
  w.set_array("u32s", std::vector<uint32_t>{1});
  w.set_array("f32s", std::vector<float>{});
  w.set_array("u8s", std::vector<uint8_t>{1, 2, 255});
  w.add_tensor("first", ggml_type::f32, {3, 5});
  w.add_tensor("second", ggml_type::q8_0, {64, 2});
  w.add_tensor("third", ggml_type::i8, {1});
  w.begin();
  std::vector<float> first(15);
  std::iota(first.begin(), first.end(), 0.0f);
  CHECK(w.current_tensor() == "first");
  w.write_tensor_data(first.data(), 7);  // pieces need not end on elements
  CHECK(w.bytes_wanted() == 53);
  w.write_tensor_data(reinterpret_cast<const char*>(first.data()) + 7, 53);
  CHECK(w.current_tensor() == "second");
  const std::string blocks(136, 'q');
  w.write_tensor_data(blocks.data(), blocks.size());
  w.write_tensor_data("z", 1);
  CHECK(w.current_tensor().empty());
  CHECK(w.bytes_wanted() == 0);
  w.commit();
}

}  // namespace

TEST_CASE("gguf: what is written can be read") {
  const uint32_t alignment = GENERATE(8u, 32u, 64u, 4096u);
  const ScratchFolder folder;
  write_sample(folder.file("m"), alignment);
  CHECK(folder.entries() == 1);
  const MappedFile file = MappedFile::open(folder.file("m"));
  const GgufReader r(file.bytes(), "m");
  CHECK(r.alignment() == alignment);
  CHECK(r.has("general.alignment") == (alignment != 32));
  CHECK(file.bytes().size() % alignment == 0);
  CHECK(r.get_uint("u8") == 200);
  CHECK(r.get_int("i8") == -3);
  CHECK(r.get_uint("u16") == 60000);
  CHECK(r.get_int("i16") == -30000);
  CHECK(r.get_uint("u32") == 4000000000);
  CHECK(r.get_int("i32") == -7);
  CHECK(r.get_uint("u64") == UINT64_MAX);
  CHECK(r.get_int("i64") == INT64_MIN);
  CHECK(r.get_float("f32") == 0.5);
  CHECK(r.get_float("f64") == 1e-300);
  CHECK(r.get_bool("yes"));
  CHECK(r.get_strings("strings") == std::vector<std::string_view>{"a", "", std::string_view("n\0l", 3)});
  CHECK(r.get_array<int32_t>("i32s").to_vector() == std::vector<int32_t>{-1, 2});
  CHECK(r.get_array<uint32_t>("u32s")[0] == 1);
  CHECK(r.get_array<float>("f32s").empty());
  CHECK(r.get_array<uint8_t>("u8s").to_vector() == std::vector<uint8_t>{1, 2, 255});
  REQUIRE(r.tensors().size() == 3);
  CHECK(GgufArray<float>(r.tensor("first").data.data(), 15)[14] == 14.0f);
  CHECK(r.tensor("second").data[135] == std::byte{'q'});
  CHECK(r.tensor("third").data[0] == std::byte{'z'});
}

TEST_CASE("gguf: a file may hold no tensors, and no keys") {
  const ScratchFolder folder;
  GgufWriter w(folder.file("m"), 32);
  w.begin();
  w.commit();
  const MappedFile file = MappedFile::open(folder.file("m"));
  CHECK(GgufReader(file.bytes(), "m").tensors().empty());
}

TEST_CASE("gguf: the writer refuses misuse") {
  const ScratchFolder folder;
  const auto misuse = [&](auto&& f) {
    const Error error = error_of([&] {
      GgufWriter w(folder.file("m"));
      f(w);
    });
    return error.status == Status::bad_argument;
  };
  CHECK(misuse([](GgufWriter& w) { w.set_u32("a", 1), w.set_u8("a", 1); }));
  CHECK(misuse([](GgufWriter& w) { w.set_u32("general.alignment", 1); }));
  CHECK(misuse([](GgufWriter& w) { w.set_u32("", 1); }));
  CHECK(misuse([](GgufWriter& w) { w.add_tensor("t", 0, {1}), w.add_tensor("t", 0, {1}); }));
  CHECK(misuse([](GgufWriter& w) { w.add_tensor(std::string(64, 't'), 0, {1}); }));
  CHECK(misuse([](GgufWriter& w) { w.add_tensor("t", 4, {1}); }));
  CHECK(misuse([](GgufWriter& w) { w.add_tensor("t", 8, {31}); }));
  CHECK(misuse([](GgufWriter& w) { w.add_tensor("t", 0, {1, 1, 1, 1, 1}); }));
  CHECK(misuse([](GgufWriter& w) { w.add_tensor("t", 0, {0}); }));
  CHECK(misuse([](GgufWriter& w) { w.write_tensor_data("x", 1); }));
  CHECK(misuse([](GgufWriter& w) { w.begin(), w.set_u32("a", 1); }));
  CHECK(misuse([](GgufWriter& w) { w.begin(), w.add_tensor("t", 0, {1}); }));
  CHECK(misuse([](GgufWriter& w) { w.begin(), w.begin(); }));
  CHECK(misuse([](GgufWriter& w) { w.begin(), w.write_tensor_data("x", 1); }));
  CHECK(misuse([](GgufWriter& w) { w.add_tensor("t", 0, {1}), w.begin(), w.write_tensor_data("12345", 5); }));
  CHECK(misuse([](GgufWriter& w) { w.add_tensor("t", 0, {1}), w.begin(), w.commit(); }));
  CHECK(misuse([](GgufWriter& w) { w.commit(); }));
  CHECK(error_of([&] { GgufWriter(folder.file("m"), 48); }).status == Status::bad_argument);
  CHECK(folder.entries() == 0);
}

TEST_CASE("gguf: a full disk is an error with the path") {
  GgufWriter w("/dev/full");
  w.add_tensor("t", ggml_type::i8, {4 << 20});
  w.begin();
  const std::string data(4 << 20, 'x');
  const Error error = error_of([&] { w.write_tensor_data(data.data(), data.size()); });
  CHECK(error.status == Status::io);
  CHECK(error.message == "/dev/full: cannot write: No space left on device");
}
