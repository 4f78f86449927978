// OpenSSL's EVP digests, by libcrypto, which is opened when it is first needed.
#include <openssl/evp.h>
#include <openssl/opensslv.h>

#include "ascii.h"
#include "net/digest.h"
#include "net/http.h"
#include "shared_library.h"

#define QUERN_NUMBER_OF(x) #x
#define QUERN_NUMBER(x) QUERN_NUMBER_OF(x)

namespace quern {
namespace {

struct CryptoLibrary {
  SharedLibrary library{"crypto", QUERN_NUMBER(OPENSSL_VERSION_MAJOR), "models of the Hub need",
                        "libssl" QUERN_NUMBER(OPENSSL_VERSION_MAJOR), kWithoutHub};
  decltype(EVP_MD_CTX_new)* make = library["EVP_MD_CTX_new"];
  decltype(EVP_MD_CTX_free)* free = library["EVP_MD_CTX_free"];
  decltype(EVP_DigestInit_ex)* init = library["EVP_DigestInit_ex"];
  decltype(EVP_DigestUpdate)* update = library["EVP_DigestUpdate"];
  decltype(EVP_DigestFinal_ex)* final = library["EVP_DigestFinal_ex"];
  decltype(EVP_sha1)* sha1 = library["EVP_sha1"];
  decltype(EVP_sha256)* sha256 = library["EVP_sha256"];
};

class OpensslDigest final : public Digest {
 public:
  explicit OpensslDigest(DigestKind kind) : crypto_(library()), context_(crypto_.make(), crypto_.free) {
    if (!context_) throw std::bad_alloc();
    check(crypto_.init(context_.get(), kind == DigestKind::sha1 ? crypto_.sha1() : crypto_.sha256(), nullptr));
  }

  void update(const void* data, size_t size) override { check(crypto_.update(context_.get(), data, size)); }

  std::string hex() override {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    check(crypto_.final(context_.get(), bytes, &size));
    return hex_digits({bytes, size});
  }

 private:
  static const CryptoLibrary& library() {
    static const CryptoLibrary crypto;
    return crypto;
  }
  static void check(int result) {
    if (result != 1) throw Error(Status::internal, "OpenSSL refuses to compute a digest (a policy of the system?)");
  }

  const CryptoLibrary& crypto_;
  std::unique_ptr<EVP_MD_CTX, decltype(EVP_MD_CTX_free)*> context_;
};

}  // namespace

std::unique_ptr<Digest> make_digest(DigestKind kind) {
  return std::make_unique<OpensslDigest>(kind);
}

}  // namespace quern
