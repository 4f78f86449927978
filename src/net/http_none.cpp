// In place of http_curl.cpp where quern is built without libcurl.
#include "error.h"
#include "net/http.h"

namespace quern {

std::unique_ptr<Http> open_http(const std::string&) {
  throw Error(Status::unsupported,
              "this build of quern has no network (QUERN_HUB was off): put the model's folder on this machine and give "
              "its path");
}

}  // namespace quern
