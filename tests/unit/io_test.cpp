// Mapped files, bounded reads, JSON limits and atomic writes.
#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <utility>

#include "format_bytes.h"
#include "io/atomic_file.h"
#include "io/json.h"
#include "io/mapped_file.h"

using namespace quern;
using namespace quern::test;

TEST_CASE("a mapped file gives its bytes and survives a move") {
  const ScratchFolder folder;
  folder.write("f", "hello");
  MappedFile file = MappedFile::open(folder.file("f"));
  const MappedFile moved = std::move(file);
  REQUIRE(moved.bytes().size() == 5);
  CHECK(std::memcmp(moved.bytes().data(), "hello", 5) == 0);
  CHECK(moved.path() == folder.file("f"));
  CHECK(file.bytes().empty());
  moved.will_need(0, SIZE_MAX);
  moved.dont_need(3, SIZE_MAX);
  moved.dont_need(9, 1);
  CHECK(moved.bytes()[4] == std::byte{'o'});
}

TEST_CASE("a mapped file can be empty, but no folder, FIFO or missing file") {
  const ScratchFolder folder;
  folder.write("empty", "");
  CHECK(MappedFile::open(folder.file("empty")).bytes().empty());
  CHECK(error_of([&] { MappedFile::open(folder.path()); }).status == Status::bad_argument);
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  CHECK(error_of([&] { MappedFile::open(folder.file("fifo")); }).status == Status::bad_argument);
  const Error missing = error_of([&] { MappedFile::open(folder.file("none")); });
  CHECK(missing.status == Status::not_found);
  CHECK(missing.message.find(folder.file("none")) == 0);
}

TEST_CASE("a text file is read up to its bound") {
  const ScratchFolder folder;
  folder.write("f", std::string(5000, 'x'));
  CHECK(read_text_file(folder.file("f"), 5000).size() == 5000);
  CHECK(error_of([&] { read_text_file(folder.file("f"), 4999); }).status == Status::bad_file);
  CHECK(error_of([&] { read_text_file("/dev/zero", 100000); }).status == Status::bad_file);
  CHECK(read_text_file("/dev/null", 0).empty());
  CHECK(error_of([&] { read_text_file(folder.path(), 10); }).status == Status::bad_argument);
}

TEST_CASE("JSON is refused when it is deep, broken or has a NUL byte") {
  CHECK(parse_json("{\"a\":[1]}", "x")["a"][0] == 1);
  const std::string deep64(64, '['), closed = deep64 + std::string(64, ']');
  CHECK_NOTHROW(parse_json(closed, "x"));
  const Error deep = error_of([&] { parse_json("[" + closed + "]", "x.json"); });
  CHECK(deep.status == Status::bad_file);
  CHECK(deep.message.find("x.json: JSON nested deeper") == 0);
  CHECK(error_of([&] { parse_json(std::string(1000000, '['), "x"); }).status == Status::bad_file);
  CHECK(error_of([&] { parse_json(std::string_view("1\0", 2), "x"); }).status == Status::bad_file);
  CHECK(error_of([&] { parse_json("{\"a\":\"\xff\"}", "x"); }).status == Status::bad_file);
  CHECK(error_of([&] { parse_json("", "x"); }).status == Status::bad_file);
}

TEST_CASE("text of a file is made fit for a message") {
  CHECK(printable("a\n\x1b\x80z") == "a???z");
  CHECK(printable("Grüße, 世界 🌾") == "Grüße, 世界 🌾");
  CHECK(printable("\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe4\xb8") == "?? ??? ???? ??");
  CHECK(printable("\xe2\x80\xae \xc2\x9b") == "??? ??");  // right-to-left override, C1 control
  CHECK(printable("世界", 3) == "世...");
  CHECK(printable("世界", 6) == "世界");
}

TEST_CASE("an atomic file appears whole at commit") {
  const ScratchFolder folder;
  folder.write("f", "old");
  AtomicFile file(folder.file("f"));
  const std::string big(3 << 20, 'b');
  file.write("abc", 3);
  file.write(big.data(), big.size());
  file.pwrite_at(1, "XY", 2);
  CHECK(read_text_file(folder.file("f"), 100) == "old");
  CHECK(file.size() == big.size() + 3);
  file.commit();
  CHECK(read_text_file(folder.file("f"), 1 << 23) == "aXY" + big);
  CHECK(folder.entries() == 1);
}

TEST_CASE("an atomic file leaves nothing behind without commit") {
  const ScratchFolder folder;
  folder.write("f", "old");
  {
    AtomicFile file(folder.file("f"));
    file.write("new", 3);
    AtomicFile moved = std::move(file);
    CHECK(error_of([&] { moved.pwrite_at(2, "xx", 2); }).status == Status::internal);
  }
  CHECK(read_text_file(folder.file("f"), 100) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("two writers of one path do not share a temporary file") {
  const ScratchFolder folder;
  AtomicFile first(folder.file("f")), second(folder.file("f"));
  first.write("x", 1);
  second.write("yy", 2);
  first.commit();
  CHECK(read_text_file(folder.file("f"), 10) == "x");
  second.commit();
  CHECK(read_text_file(folder.file("f"), 10) == "yy");
  CHECK(folder.entries() == 1);
}

TEST_CASE("failed writes say why and name the path") {
  const std::string big(2 << 20, 'b');
  AtomicFile full("/dev/full");
  const Error error = error_of([&] { full.write(big.data(), big.size()); });
  CHECK(error.status == Status::io);
  CHECK(error.message == "/dev/full: cannot write: No space left on device");
  AtomicFile late("/dev/full");
  late.write("x", 1);
  CHECK(error_of([&] { late.commit(); }).status == Status::io);
  const ScratchFolder folder;
  CHECK(error_of([&] { AtomicFile file(folder.file("none/f")); }).status == Status::not_found);
  CHECK(error_of([&] { AtomicFile file(folder.path()); }).status == Status::bad_argument);
}

TEST_CASE("a path that is no regular file is written directly") {
  AtomicFile null("/dev/null");
  null.write("x", 1);
  CHECK(error_of([&] { null.pwrite_at(0, "y", 1); }).status == Status::unsupported);
  null.commit();
  struct stat status = {};
  REQUIRE(::stat("/dev/null", &status) == 0);
  CHECK(S_ISCHR(status.st_mode));
}

TEST_CASE("a descriptor of a regular file is written directly") {
  const ScratchFolder folder;
  folder.write("f", "old ");
  const int fd = ::open(folder.file("f").c_str(), O_WRONLY);
  REQUIRE(fd >= 0);
  AtomicFile file("/dev/fd/" + std::to_string(fd));
  file.write("new", 3);
  file.commit();
  ::close(fd);
  CHECK(read_text_file(folder.file("f"), 100) == "old new");
  CHECK(folder.entries() == 1);
}
