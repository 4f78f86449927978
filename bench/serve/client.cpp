#include "client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace load {
namespace {

std::string field(std::string_view head, std::string_view name) {  // head in lower case
  const size_t at = head.find("\r\n" + std::string(name) + ":");
  if (at == std::string_view::npos) return {};
  const size_t begin = head.find_first_not_of(" :", at + 2 + name.size());
  return std::string(head.substr(begin, head.find("\r\n", begin) - begin));
}

}  // namespace

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + '"';
}

Loop::Loop(const std::string& host, int port) : host_(host), port_(port), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

Loop::~Loop() {
  for (const auto& [fd, c] : connections_) ::close(fd);
  ::close(epoll_);
}

int Loop::open() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port_));
  if (inet_pton(AF_INET, host_.c_str(), &address.sin_addr) != 1)
    throw std::runtime_error(host_ + " is no IPv4 address");
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
    throw std::runtime_error("cannot connect to " + host_ + ":" + std::to_string(port_) + ": " + std::strerror(errno));
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  connections_[fd] = {};
  return fd;
}

void Loop::send(int connection, std::string request) {
  Connection& c = connections_.at(connection);
  c = {};
  c.out = std::move(request);
  c.busy = true;
  c.answer.sent = now();
  ++busy_;
  write(connection, c);
}

void Loop::write(int fd, Connection& c) {
  bool full = false;
  while (c.out_at < c.out.size()) {
    const ssize_t n = ::send(fd, c.out.data() + c.out_at, c.out.size() - c.out_at, MSG_NOSIGNAL);
    full = n < 0 && errno == EAGAIN;
    if (n < 0) break;  // no room, or gone, which reading will tell
    c.out_at += static_cast<size_t>(n);
  }
  epoll_event event{};
  event.events = EPOLLIN | (full ? EPOLLOUT : 0u);
  event.data.fd = fd;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void Loop::run(const std::function<void(int, const Answer&)>& done) {
  epoll_event events[256];
  while (busy_ > 0) {
    const int n = epoll_wait(epoll_, events, 256, 600'000);
    if (n == 0) throw std::runtime_error("no answer in ten minutes");
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      const auto at = connections_.find(fd);
      if (at == connections_.end()) continue;
      if (events[i].events & EPOLLOUT) write(fd, at->second);
      if (!(events[i].events & ~static_cast<uint32_t>(EPOLLOUT)) || !read(fd, at->second)) continue;
      const bool was_busy = at->second.busy;
      at->second.busy = false;
      const Answer answer = std::move(at->second.answer);
      if (answer.closed) {
        ::close(fd);
        connections_.erase(at);
      }
      if (!was_busy) continue;
      --busy_;
      done(fd, answer);
    }
  }
}

bool Loop::read(int fd, Connection& c) {
  char bytes[256 << 10];
  while (true) {
    const ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return false;
    if (n <= 0) {
      c.answer.closed = true;
      c.answer.done = now();
      return true;
    }
    c.in.append(bytes, static_cast<size_t>(n));
    if (!parse(c)) continue;
    c.answer.whole = true;
    c.answer.done = now();
    return true;
  }
}

bool Loop::parse_head(Connection& c) {
  const size_t end = c.in.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  std::string head = c.in.substr(0, end + 2);
  std::transform(head.begin(), head.end(), head.begin(),
                 [](unsigned char ch) { return static_cast<char>(std::tolower(ch)); });
  c.in.erase(0, end + 4);
  c.answer.status = std::atoi(head.c_str() + std::min<size_t>(9, head.size()));
  c.chunked = field(head, "transfer-encoding") == "chunked";
  c.events = field(head, "content-type").starts_with("text/event-stream");
  c.left = c.chunked ? 0 : std::strtoull(field(head, "content-length").c_str(), nullptr, 10);
  c.head = true;
  if (!c.events) c.answer.first = now();
  return true;
}

void Loop::take_body(Connection& c, std::string_view part) {
  if (!c.events) {
    if (c.answer.status != 200) c.answer.body.append(part.substr(0, 1000));
    return;
  }
  if (c.answer.first == 0 && part.find("data:") != std::string_view::npos) c.answer.first = now();
  const std::string_view name = "\"completion_tokens\":";
  if (const size_t at = part.find(name); at != std::string_view::npos)
    c.answer.tokens = std::atof(part.data() + at + name.size());
  if (part.find("\"error\"") != std::string_view::npos) c.answer.status = -1, c.answer.body = part;
}

bool Loop::parse(Connection& c) {
  if (!c.head && !parse_head(c)) return false;
  size_t at = 0;
  bool end = false;
  while (true) {
    if (c.chunked && c.left == 0) {
      const size_t line = c.in.find("\r\n", at);
      if (line == std::string::npos) break;
      const size_t size = std::strtoull(c.in.c_str() + at, nullptr, 16);
      if (c.in.size() < line + 2 + size + 2) break;  // whole chunks, so that an event is in one piece
      take_body(c, std::string_view(c.in).substr(line + 2, size));
      at = line + 2 + size + 2;
      if (size == 0) {
        end = true;
        break;
      }
    } else {
      const size_t n = std::min(c.left, c.in.size() - at);
      take_body(c, std::string_view(c.in).substr(at, n));
      at += n;
      c.left -= n;
      end = c.left == 0;
      break;
    }
  }
  c.in.erase(0, at);
  return end;
}

}  // namespace load
