// SHA-256 (FIPS 180-4), streaming: for naming and comparing files and models, not for secrets.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace quern {

class Sha256 {
 public:
  void update(const void* data, size_t size);
  std::array<uint8_t, 32> digest();  // ends the stream: no call may follow
  std::string hex();                 // the same as 64 lower-case hex digits

 private:
  void block(const uint8_t* bytes);

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> pending_ = {};
  uint64_t total_ = 0;
};

std::string sha256_hex(std::string_view bytes);
std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace quern
