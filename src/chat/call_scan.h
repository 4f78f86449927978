// A JSON object that may be a call of a tool, read byte by byte as its text comes.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace quern {

constexpr std::string_view json_spaces = " \t\r\n";

// What is known of its members at the top so far. Offsets are into the text that go() is given, which may grow from one
// call to the next but keeps its beginning.
class CallScan {
 public:
  explicit CallScan(bool strict = false) : strict_(strict) {}

  void go(std::string_view text);

  size_t at = 0;  // of the first byte not looked at
  bool wrong = false, done = false;
  std::optional<std::string> name;
  size_t arguments_begin = 0, arguments_end = 0;  // of the first of them; 0: not there, not whole
  // The bytes after which a call could be told: its name and its arguments' beginning, or its end, were there, and
  // nothing was wrong. 0: not yet. However the text came, it is the same.
  size_t known = 0;
  size_t told = 0;  // the reader's: of the arguments, up to here

  // The text of a JSON string; nothing for what is none.
  static std::optional<std::string> unquoted(std::string_view text);

 private:
  enum class Part : unsigned char { key, colon, value, comma };
  void byte(std::string_view text, char c);
  void in_text(std::string_view text, char c);
  void close(std::string_view text, char c);
  void at_top(std::string_view text, char c);
  void begin_value();
  void end_value(std::string_view text, size_t end);
  bool is_arguments() const { return key_ == "arguments" || key_ == "parameters"; }

  const bool strict_;  // a member that calls do not have is wrong: nothing but the members tells that this is a call
  size_t string_begin_ = 0, value_begin_ = 0;
  int depth_ = 0;
  Part part_ = Part::key;
  bool in_string_ = false, escaped_ = false, in_value_ = false;
  std::string key_;
};

}  // namespace quern
