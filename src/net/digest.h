// SHA-256 and SHA-1 of what is downloaded, by OpenSSL, which uses the CPU's instructions for them.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

namespace quern {

class Digest {
 public:
  virtual ~Digest() = default;
  virtual void update(const void* data, size_t size) = 0;
  virtual std::string hex() = 0;  // ends it: no call may follow
};

enum class DigestKind { sha1, sha256 };

// Throws Error unsupported where OpenSSL is not in this build or not on this machine.
std::unique_ptr<Digest> make_digest(DigestKind kind);

}  // namespace quern
