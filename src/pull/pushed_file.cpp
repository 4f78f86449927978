#include "pull/pushed_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "error.h"
#include "io/json.h"
#include "net/digest.h"
#include "os/files.h"

namespace quern {
namespace {

constexpr size_t hashed_bytes = 1 << 20, max_parts = 10000;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

[[noreturn]] void fail_read(const std::string& where, const std::string& why) {
  throw Error(Status::io, where + ": cannot be read: " + why);
}

HttpBody part_of(const PushedFile& file, uint64_t from, uint64_t size) {
  return {.bytes = {}, .size = size, .read = [&file, from](uint64_t at, char* to, size_t most) {
            return file.read(from + at, to, most);
          }};
}

// The addresses of parts, which are headers whose names are numbers from 1 on.
std::vector<std::string> addresses_of_parts(const nlohmann::json& headers) {
  std::map<unsigned long, std::string> by_number;
  for (const auto& [name, value] : headers.items())
    if (!name.empty() && name.size() < 6 && name.find_first_not_of("0123456789") == std::string::npos &&
        value.is_string())
      by_number[std::stoul(name)] = value.get<std::string>();
  std::vector<std::string> all;
  for (const auto& [number, address] : by_number) {
    if (number != all.size() + 1) return {};
    all.push_back(address);
  }
  return all;
}

uint64_t number_at(const nlohmann::json& headers, const char* name) {
  const std::string text = text_at(headers, name);  // a header's value, and so text
  const bool number = !text.empty() && text.size() < 16 && text.find_first_not_of("0123456789") == std::string::npos;
  return number ? std::stoull(text) : size_at(headers, name);
}

void send_parts(HubClient& hub, const PushedFile& file, const std::string& href, const nlohmann::json& headers) {
  const uint64_t chunk = number_at(headers, "chunk_size");
  const std::vector<std::string> addresses = addresses_of_parts(headers);
  const uint64_t n = chunk == 0 ? 0 : (file.size() + chunk - 1) / chunk;
  if (n == 0 || n > max_parts || n != addresses.size())
    throw Error(Status::bad_file, hub.name().text() + ": " + file.path + ": expected an address for each of " +
                                      std::to_string(n) + " parts, found " + std::to_string(addresses.size()));
  nlohmann::ordered_json parts = nlohmann::ordered_json::array();
  for (uint64_t i = 0; i < n; ++i) {
    const uint64_t from = i * chunk, size = std::min(chunk, file.size() - from);
    const std::string etag = hub.put(addresses[i], {}, part_of(file, from, size), file.path);
    if (etag.empty())
      throw Error(Status::bad_file, hub.name().text() + ": " + file.path + ": expected an ETag for part " +
                                        std::to_string(i + 1) + ", found none");
    parts.push_back({{"partNumber", i + 1}, {"etag", etag}});
  }
  hub.post({.url = href,
            .what = file.path,
            .type = "application/vnd.git-lfs+json",
            .accept = "application/vnd.git-lfs+json",
            .body = nlohmann::ordered_json{{"oid", file.sha256()}, {"parts", parts}}.dump()});
}

}  // namespace

PushedFile PushedFile::on_disk(const std::string& path, const std::string& where) {
  os::FileInfo info;
  if (!os::info_of(where, info)) fail_read(where, ::strerror(errno));
  PushedFile file;
  file.path = path;
  file.where_ = where;
  file.size_ = info.size;
  return file;
}

PushedFile PushedFile::of_text(const std::string& path, const std::string& text) {
  PushedFile file;
  file.path = path;
  file.text_ = text;
  file.size_ = text.size();
  return file;
}

size_t PushedFile::read(uint64_t at, char* to, size_t most) const {
  if (where_.empty()) return text_.copy(to, most, static_cast<size_t>(at));
  const std::unique_ptr<std::FILE, CloseFile> file(os::open_stream(where_, "rb"));
  if (!file || !os::seek(file.get(), at)) fail_read(where_, ::strerror(errno));
  const size_t n = std::fread(to, 1, most, file.get());
  if (n == 0 && most > 0) fail_read(where_, std::ferror(file.get()) ? ::strerror(errno) : "it has become shorter");
  return n;
}

std::string PushedFile::head(size_t bytes) const {
  std::string text(static_cast<size_t>(std::min<uint64_t>(bytes, size_)), '\0');
  for (size_t done = 0; done < text.size();) done += read(done, text.data() + done, text.size() - done);
  return text;
}

std::string PushedFile::text() const {
  return head(static_cast<size_t>(size_));
}

bool PushedFile::has_changed(const HubClient& hub) {
  const auto digest = make_digest(large ? DigestKind::sha256 : DigestKind::sha1);
  const std::string head = "blob " + std::to_string(size_);  // Git's object
  if (!large) digest->update(head.c_str(), head.size() + 1);
  std::vector<char> block(hashed_bytes);
  for (uint64_t at = 0; at < size_;) {
    const size_t n = read(at, block.data(), static_cast<size_t>(std::min<uint64_t>(block.size(), size_ - at)));
    digest->update(block.data(), n);
    at += n;
    if (!hub.say({PullProgress::Phase::checking, path, static_cast<double>(at), static_cast<double>(size_)}))
      HubClient::throw_cancelled();
  }
  const std::string found = digest->hex();
  if (large) sha256_ = found;
  return found != there;
}

std::string base64(std::string_view bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](size_t k) { return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U; };
    const unsigned three = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (size_t k = 0; k < 4; ++k) out += i + k > bytes.size() ? '=' : digits[three >> (18 - 6 * k) & 63];
  }
  return out;
}

void send_file(HubClient& hub, const PushedFile& file, const nlohmann::json& upload) {
  const std::string href = text_at(upload, "href");
  const nlohmann::json headers = upload.value("header", nlohmann::json::object());
  if (headers.contains("chunk_size")) return send_parts(hub, file, href, headers);
  std::vector<std::string> lines;
  for (const auto& [name, value] : headers.items()) {
    const std::string line = name + ": " + (value.is_string() ? value.get<std::string>() : "");
    if (line.find_first_of("\r\n") == std::string::npos) lines.push_back(line);
  }
  hub.put(href, lines, part_of(file, 0, file.size()), file.path);
}

}  // namespace quern
