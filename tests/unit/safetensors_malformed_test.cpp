// Hostile safetensors bytes: every rule of the format, and every one broken.
#include <catch2/catch.hpp>

#include "format_bytes.h"
#include "safetensors/safetensors.h"

using namespace quern;
using namespace quern::test;

namespace {

std::string file_of(const std::string& header, size_t data_bytes) {
  return Bytes().put<uint64_t>(header.size()).raw(header).raw(std::string(data_bytes, 'd')).text;
}

Error safetensors_error(const std::string& text) {
  return error_of([&] { Safetensors::from_bytes(as_bytes(text), "f"); });
}

// The result of one tensor "a" with these fields.
Status status_of(const std::string& dtype, const std::string& shape, const std::string& offsets, size_t data_bytes) {
  const std::string entry = R"({"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  return safetensors_error(file_of(R"({"a":)" + entry + "}", data_bytes)).status;
}

Status header_status(const std::string& header, size_t data_bytes = 0) {
  return safetensors_error(file_of(header, data_bytes)).status;
}

const std::string u8_entry = R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})";

}  // namespace

TEST_CASE("safetensors: header lengths") {
  const std::string header = R"({"a":)" + u8_entry + "}";
  CHECK(safetensors_error(file_of(header, 2)).status == Status::ok);
  const uint64_t n = header.size();
  for (const uint64_t length :
       {uint64_t{0}, uint64_t{1}, n - 1, n + 1, n + 2, n + 3, uint64_t{100000000}, uint64_t{100000001},
        uint64_t{1} << 31, (uint64_t{1} << 32) - 1, uint64_t{1} << 63, UINT64_MAX - 7, UINT64_MAX}) {
    CAPTURE(length);
    CHECK(safetensors_error(Bytes().put(length).raw(header).raw("dd").text).status == Status::bad_file);
  }
  for (size_t size = 0; size < 8; ++size) CHECK(safetensors_error(std::string(size, '{')).status == Status::bad_file);
}

TEST_CASE("safetensors: cut at every byte, and trailing bytes") {
  const std::string text =
      file_of(R"({"a":)" + u8_entry + R"(,"b":{"dtype":"F32","shape":[],"data_offsets":[2,6]}})", 6);
  CHECK(safetensors_error(text).status == Status::ok);
  for (size_t size = 0; size < text.size(); ++size)
    REQUIRE(safetensors_error(text.substr(0, size)).status == Status::bad_file);
  CHECK(safetensors_error(text + "x").message == "f: 1 bytes follow the last tensor, expected none");
}

TEST_CASE("safetensors: the JSON of the header") {
  CHECK(header_status("{}") == Status::ok);
  CHECK(header_status("  {}  \n ") == Status::ok);
  for (const char* header : {"",
                             " ",
                             "[]",
                             "7",
                             "null",
                             "\"a\"",
                             "{",
                             "{}}",
                             "{}x",
                             "{\"a\"}",
                             "{\"a\":}",
                             "{\"a\":1}",
                             "{\"a\":null}",
                             "{\"a\":true}",
                             "{\"a\":-1}",
                             "{\"a\":1.5}",
                             "{\"a\":[]}",
                             "{\"a\":\"x\"}",
                             "{\"a\":{}}",
                             "\xef\xbb\xbf{}",
                             "{\"\xff\":{}}",
                             "{\"\\ud800\":{}}",
                             "{/**/}"}) {
    CAPTURE(header);
    CHECK(header_status(header) == Status::bad_file);
  }
  CHECK(header_status(std::string("{}\0x", 4)) == Status::bad_file);
  CHECK(header_status(std::string(1000000, '[')) == Status::bad_file);
  CHECK(header_status("{\"a\":" + std::string(1000000, '[')) == Status::bad_file);
  const std::string deep = R"({"a":{"x":)" + std::string(100000, '[') + "}}";
  CHECK(safetensors_error(file_of(deep, 0)).message.find("deeper than 64") != std::string::npos);
}

TEST_CASE("safetensors: fields of an entry") {
  CHECK(status_of("\"U8\"", "[2]", "[0,2]", 2) == Status::ok);
  CHECK(status_of("\"U8\"", "[2]", "[0,2],\"x\":{\"y\":[1,{\"z\":null}],\"dtype\":7}", 2) == Status::ok);
  CHECK(status_of("\"U9\"", "[2]", "[0,2]", 2) == Status::bad_file);
  CHECK(status_of("8", "[2]", "[0,2]", 2) == Status::bad_file);
  CHECK(status_of("[\"U8\"]", "[2]", "[0,2]", 2) == Status::bad_file);
  CHECK(status_of("\"U8\",\"dtype\":\"U8\"", "[2]", "[0,2]", 2) == Status::bad_file);
  for (const char* shape : {"2", "null", "[-2]", "[2.0]", "[\"2\"]", "[[2]]", "[null]", "{}", "[2],\"shape\":[2]",
                            "[18446744073709551616]", "[9223372036854775808]", "[3]", "[1]", "[]", "[0]"}) {
    CAPTURE(shape);
    CHECK(status_of("\"U8\"", shape, "[0,2]", 2) == Status::bad_file);
  }
  for (const char* offsets : {"[0]", "[]", "[0,2,2]", "[2,0]", "[0,3]", "[0,1]", "[1,3]", "[1,2]", "[-0,2]", "[0,2.0]",
                              "[0,18446744073709551615]", "[18446744073709551614,0]", "null", "{}", "2"}) {
    CAPTURE(offsets);
    CHECK(status_of("\"U8\"", "[2]", offsets, 2) == Status::bad_file);
  }
  CHECK(header_status(R"({"a":{"dtype":"U8","shape":[0]}})") == Status::bad_file);
  CHECK(header_status(R"({"a":{"dtype":"U8","data_offsets":[0,0]}})") == Status::bad_file);
  CHECK(header_status(R"({"a":{"shape":[0],"data_offsets":[0,0]}})") == Status::bad_file);
}

TEST_CASE("safetensors: shapes whose size wraps") {
  for (const char* shape : {"[9223372036854775807,2]", "[4294967296,4294967296]", "[2305843009213693952]",
                            "[0,4294967296,4294967296]", "[4294967296,4294967296,0]"}) {
    CAPTURE(shape);
    CHECK(status_of("\"F64\"", shape, "[0,0]", 0) == Status::bad_file);
  }
  CHECK(status_of("\"F64\"", "[0,1000]", "[0,0]", 0) == Status::ok);
  CHECK(status_of("\"F4\"", "[4]", "[0,2]", 2) == Status::ok);
  CHECK(status_of("\"F4\"", "[3]", "[0,2]", 2) == Status::bad_file);
  CHECK(status_of("\"F6_E2M3\"", "[4]", "[0,3]", 3) == Status::ok);
}

TEST_CASE("safetensors: holes, overlaps and duplicates") {
  const auto two = [](const std::string& first, const std::string& second, const std::string& name) {
    const std::string tail = R"(,"shape":[2],"data_offsets":)";
    return R"({"a":{"dtype":"U8")" + tail + first + R"(},")" + name + R"(":{"dtype":"U8")" + tail + second + "}}";
  };
  CHECK(header_status(two("[0,2]", "[2,4]", "b"), 4) == Status::ok);
  CHECK(header_status(two("[2,4]", "[0,2]", "b"), 4) == Status::ok);
  CHECK(header_status(two("[0,2]", "[3,5]", "b"), 5) == Status::bad_file);
  CHECK(header_status(two("[0,2]", "[1,3]", "b"), 3) == Status::bad_file);
  CHECK(header_status(two("[0,2]", "[0,2]", "b"), 2) == Status::bad_file);
  CHECK(header_status(two("[1,3]", "[3,5]", "b"), 5) == Status::bad_file);
  CHECK(safetensors_error(file_of(two("[0,2]", "[2,4]", "a"), 4)).message == "f: the tensor 'a' comes twice");
  CHECK(safetensors_error(file_of(two("[0,2]", "[2,4]", "\\u0061"), 4)).message == "f: the tensor 'a' comes twice");
}

TEST_CASE("safetensors: metadata") {
  CHECK(header_status(R"({"__metadata__":{"a":"b","c":""}})") == Status::ok);
  CHECK(header_status(R"({"__metadata__":null})") == Status::ok);
  CHECK(header_status(R"({"__metadata__":{"a":"b","a":"c"}})") == Status::bad_file);
  CHECK(header_status(R"({"__metadata__":{},"__metadata__":{}})") == Status::bad_file);
  for (const char* value : {"7", "\"x\"", "[]", R"({"a":7})", R"({"a":null})", R"({"a":{}})", R"({"a":["b"]})"}) {
    CAPTURE(value);
    CHECK(header_status(std::string(R"({"__metadata__":)") + value + "}") == Status::bad_file);
  }
}

TEST_CASE("safetensors: flipped bytes never do more than throw") {
  const std::string text = read_text_file(QUERN_TEST_DIR "/golden/formats/all.safetensors", 1 << 20);
  for (size_t i = 0; i < text.size(); ++i) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string changed = text;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      safetensors_error(changed);
    }
  }
  SUCCEED();
}
