// httplib without its sockets and its routes.
#pragma once
#include <httplib.h>

#include "http_server.h"

namespace server {

int64_t now_ms();  // steady

class HttpServer::Parser : public httplib::Server {
 public:
  Parser() {
    keep_alive_max_count_ = 1000000;  // which answers mention
    svr_sock_ = 0;                    // it answers while that is not INVALID_SOCKET
  }
  ~Parser() override { svr_sock_ = INVALID_SOCKET; }
  void keep_alive_seconds(int seconds) { keep_alive_timeout_sec_ = seconds; }
  bool answer(httplib::Stream& stream, bool close, bool& closes) {
    return process_request(stream, close, closes, [](httplib::Request&) {});
  }
};

}  // namespace server
