// What is thrown for input that we do not control: files, texts, options. Bugs of our own are asserts.
#pragma once
#include <exception>
#include <string>
#include <utility>

namespace quern {

// The numbers are those of quern_status in include/quern.h.
enum class Status {
  ok = 0,
  bad_argument = 1,  // the caller's use is wrong: an option, a name, a size
  not_found = 2,     // a file or folder is missing
  io = 3,            // reading or writing failed (disk full, permissions)
  bad_file = 4,      // a file is there, but is not what it should be
  unsupported = 5,   // well-formed, but quern cannot run it
  out_of_memory = 6,
  internal = 7,
  overloaded = 8,  // as much waits as may
  deadline_exceeded = 9,
  cancelled = 10,
};

// message is one sentence that names the file or field, what was expected and what was found.
class Error : public std::exception {
 public:
  Error(Status status, std::string message) : status(status), message(std::move(message)) {}
  const char* what() const noexcept override { return message.c_str(); }
  Status status;
  std::string message;
};

}  // namespace quern
