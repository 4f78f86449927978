// FIPS 180-4 example vectors, and that the pieces in which the bytes come make no difference.
#include "io/sha256.h"

#include <catch2/catch.hpp>
#include <string>

using quern::Sha256;
using quern::sha256_hex;

TEST_CASE("sha256 of the standard's examples") {
  CHECK(sha256_hex(std::string_view("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex(std::string_view("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex(std::string_view("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("sha256 does not depend on the pieces") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  for (size_t size = 0; size <= text.size(); ++size) {
    const std::string whole = sha256_hex(std::string_view(text).substr(0, size));
    for (const size_t piece : {1, 3, 55, 56, 63, 64, 65, 129}) {
      Sha256 sha;
      for (size_t at = 0; at < size; at += piece) sha.update(text.data() + at, std::min(piece, size - at));
      REQUIRE(sha.hex() == whole);
    }
  }
}
