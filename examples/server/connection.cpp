#include "connection.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace server {
namespace {

const char* phrase(int status) {
  constexpr std::pair<int, const char*> known[] = {{200, "OK"},
                                                   {204, "No Content"},
                                                   {400, "Bad Request"},
                                                   {401, "Unauthorized"},
                                                   {403, "Forbidden"},
                                                   {404, "Not Found"},
                                                   {405, "Method Not Allowed"},
                                                   {408, "Request Timeout"},
                                                   {409, "Conflict"},
                                                   {413, "Content Too Large"},
                                                   {415, "Unsupported Media Type"},
                                                   {422, "Unprocessable Content"},
                                                   {424, "Failed Dependency"},
                                                   {429, "Too Many Requests"},
                                                   {431, "Request Header Fields Too Large"},
                                                   {500, "Internal Server Error"},
                                                   {503, "Service Unavailable"},
                                                   {504, "Gateway Timeout"}};
  for (const auto& [code, text] : known)
    if (code == status) return text;
  return "Refused";
}

}  // namespace

thread_local Connection* Connection::current = nullptr;

std::string head_text(const httplib::Response& response, bool keep, int idle_seconds, int64_t body_size, bool chunked) {
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + " " + phrase(response.status) + "\r\n";
  const auto field = [&](std::string_view name, std::string_view value) {
    text.append(name).append(": ").append(value).append("\r\n");
  };
  for (const auto& [name, value] : response.headers) field(name, value);
  if (keep)
    field("Keep-Alive", "timeout=" + std::to_string(idle_seconds) + ", max=1000000");
  else
    field("Connection", "close");
  if (body_size >= 0)
    field("Content-Length", std::to_string(body_size));
  else if (chunked)
    field("Transfer-Encoding", "chunked");
  return text += "\r\n";
}

void Outlet::answer(const httplib::Response& whole) {
  out_ = head_text(whole, keep_, idle_seconds_, static_cast<int64_t>(whole.body.size()), false) + whole.body;
  ended_ = true;
}

void Outlet::begin(const httplib::Response& head) {
  out_ = head_text(head, keep_, idle_seconds_, -1, chunked_);
}

void Outlet::write(std::string_view part) {
  if (part.empty()) return;  // which would be the end
  if (chunked_) {
    char size[16];
    const auto [end, error] = std::to_chars(size, size + sizeof size, part.size(), 16);
    out_.append(size, end).append("\r\n");
  }
  out_.append(part);
  if (chunked_) out_.append("\r\n");
}

void Outlet::end() {
  if (chunked_) out_.append("0\r\n\r\n");
  ended_ = true;
}

Connection::Connection(int fd, const FramingLimits& limits, const os::Remote& remote, std::shared_ptr<Peer> peer,
                       Budget& all_received, Budget& all_unsent)
    : fd(fd),
      framer(limits),
      address(remote.address),
      port(remote.port),
      peer(std::move(peer)),
      received(all_received, this->peer->received),
      waits(all_unsent, this->peer->unsent) {}

void Connection::begin_answer() {
  arrived = std::chrono::steady_clock::now();
  head = framer.take_head();
  body = framer.take_body();
  head_read = 0;
  admitted = false;
  out.clear();
}

ssize_t ConnectionStream::read(char* to, size_t size) {
  const size_t n = std::min(size, c_.head.size() - c_.head_read);
  std::memcpy(to, c_.head.data() + c_.head_read, n);
  c_.head_read += n;
  return static_cast<ssize_t>(n);
}

ssize_t ConnectionStream::write(const char* from, size_t size) {
  c_.out.append(from, size);
  return static_cast<ssize_t>(size);
}

void ConnectionStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip = c_.address;
  port = c_.port;
}

}  // namespace server
