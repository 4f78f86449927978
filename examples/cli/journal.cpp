#include "journal.h"

#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common.h"
#include "os/files.h"
#include "texts.h"

namespace cli {
namespace {

using nlohmann::json;

constexpr size_t kMaxJournal = size_t{256} << 20;
constexpr const char* kKind = "quern journal 1";

std::string crc_text(std::string_view line) {
  char text[16];
  std::snprintf(text, sizeof text, "%08lx",
                crc32_z(0, reinterpret_cast<const Bytef*>(line.data()), line.size()) & 0xFFFFFFFFUL);
  return text;
}

// What follows its CRC, or an empty view where the line is damaged.
std::string_view checked(std::string_view line) {
  if (line.size() < 10 || line[8] != ' ' || crc_text(line.substr(9)) != line.substr(0, 8)) return {};
  return line.substr(9);
}

std::string read_all(int descriptor, const std::string& path) {
  std::string data;
  for (;;) {
    char block[65536];
    const int64_t n = os::read_at(descriptor, block, sizeof block, data.size());
    if (n < 0) throw Failure{1, path + ": cannot read: " + std::strerror(errno)};
    if (n == 0) return data;
    data.append(block, static_cast<size_t>(n));
    if (data.size() > kMaxJournal) throw Failure{1, path + ": expected a journal of at most 256 MiB"};
  }
}

struct Contents {
  json header;  // null where there is none
  Checkpoint last;
  size_t records = 0, good = 0;  // good: bytes up to the end of the last whole line
};

void take_record(const json& record, Checkpoint& to) {
  to.read = {record.at("records"), record.at("texts"), record.at("bytes"), record.at("crc")};
  to.chunk = {record.at("from"), record.at("end"), record.at("output_crc")};
  to.whole = record.at("whole");
  to.state = record.at("state").dump();
}

// path: for the message, where that is no journal.
Contents contents_of(const std::string& data, const std::string& path) {
  Contents c;
  for (size_t begin = 0, end; (end = data.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const json value = json::parse(checked(std::string_view(data).substr(begin, end - begin)), nullptr, false);
    if (!value.is_object()) break;
    try {
      if (c.header.is_null()) {
        if (value.at("kind") != kKind) break;
        c.header = value;
      } else {
        take_record(value, c.last);
        ++c.records;
      }
    } catch (const json::exception&) {
      break;
    }
    c.good = end + 1;
  }
  // A first line that was not written whole is the only one.
  if (c.header.is_null() && data.find('\n') != std::string::npos)
    throw Failure{1, path + ": expected a journal of this version, found something else (--restart begins anew)"};
  return c;
}

// "--pooling was "mean" and is "cls"", of all that differs.
std::string differences(const json& before, const RunIdentity& now) {
  std::string text;
  const auto differ = [&](const std::string& name, const json& was, const json& is) {
    const auto show = [](const json& value) {
      return value.is_null() ? "not given" : one_line(value.dump(-1, ' ', false, json::error_handler_t::replace), 100);
    };
    text += (text.empty() ? "" : "; ") + one_line(name, 100) + " was " + show(was) + " and is " + show(is);
  };
  for (const auto& [name, value] : now) {
    const json was = before.value(name, json());
    if (was != value) differ(name, was, value);
  }
  for (const auto& [name, value] : before.items())
    if (!now.contains(name)) differ(name, value, json());
  return one_line(text, 1000);
}

}  // namespace

Journal::~Journal() {
  if (descriptor_ >= 0) os::close_file(descriptor_);
}

void Journal::fail(const char* action) const {
  throw Failure{1, path_ + ": cannot " + action + ": " + std::strerror(errno)};
}

void Journal::open_locked(bool create) {
  descriptor_ = os::open_file(path_, os::kRead | os::kWrite | os::kAppend | (create ? os::kCreate : 0U));
  if (descriptor_ < 0) return;
  // Where the file system knows no locks there is none; every other failure says that somebody has it.
  if (!os::lock(descriptor_) && errno == EWOULDBLOCK) {
    os::close_file(descriptor_);
    descriptor_ = -1;
    throw Failure{1, path_ + ": another process is at work on this output"};
  }
}

bool Journal::read(const RunIdentity& identity, Checkpoint& last) {
  open_locked(false);
  if (descriptor_ < 0 && errno != ENOENT) fail("open");
  if (descriptor_ < 0) return false;
  const Contents c = contents_of(read_all(descriptor_, path_), path_);
  if (c.records == 0) {
    os::remove_file(unfinished_);
    remove();
    return false;
  }
  const std::string differs = differences(c.header.at("identity"), identity);
  if (!differs.empty())
    throw Failure{2, "--resume: " + path_ + " is of another run: " + differs +
                         " (--restart begins anew, and drops what it had done)"};
  if (!os::cut(descriptor_, c.good)) fail("write");
  last = c.last;
  return true;
}

void Journal::require_none() {
  open_locked(false);
  if (descriptor_ < 0) return;
  const Contents c = contents_of(read_all(descriptor_, path_), path_);
  if (c.records == 0) {
    os::remove_file(unfinished_);
    return remove();
  }
  throw Failure{1, path_ + ": an earlier run was stopped when " + std::to_string(c.last.read.texts) +
                       " texts were done: --resume goes on there, --restart begins anew"};
}

void Journal::remove_all() {
  open_locked(false);  // not while another process has it
  os::remove_file(unfinished_);
  remove();
}

void Journal::begin(const RunIdentity& identity) {
  open_locked(true);
  if (descriptor_ < 0 || !os::cut(descriptor_, 0)) fail("write");
  write_line({{"kind", kKind}, {"identity", identity}});
  sync_folder_of(path_);
}

void Journal::append(const Checkpoint& c) {
  write_line({{"records", c.read.records},
              {"texts", c.read.texts},
              {"bytes", c.read.bytes},
              {"crc", c.read.crc},
              {"from", c.chunk.from},
              {"end", c.chunk.end},
              {"output_crc", c.chunk.crc},
              {"whole", c.whole},
              {"state", json::parse(c.state)}});
}

void Journal::write_line(const json& value) {
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  const std::string line = crc_text(text) + ' ' + text + '\n';
  for (size_t done = 0; done < line.size();) {
    const int64_t n = os::write_some(descriptor_, line.data() + done, line.size() - done);
    if (n < 0) fail("write");
    done += static_cast<size_t>(n);
  }
  if (!os::sync_data(descriptor_)) fail("write");
}

void Journal::remove() {
  os::remove_file(path_);
  if (descriptor_ >= 0) os::close_file(descriptor_);
  descriptor_ = -1;
}

}  // namespace cli
