// In place of digest_openssl.cpp where quern is built without the network.
#include "error.h"
#include "net/digest.h"

namespace quern {

std::unique_ptr<Digest> make_digest(DigestKind) {
  throw Error(Status::unsupported, "this build of quern has no network, and nothing that checks what was downloaded");
}

}  // namespace quern
