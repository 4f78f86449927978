// What templates can call by name: filters, tests, methods of values, functions. A new one is a function and a line in
// its kind's table.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/value.h"

namespace quern::chat {

class Evaluator;

// Arguments as they stand in a template.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// A call of a builtin.
struct Call {
  Evaluator& e;
  const Value& self;             // what is filtered or tested, or whose method it is
  std::vector<Value> args;       // as many as there are parameters; Kind::absent where none was given
  std::vector<Value> more = {};  // beyond the parameters; only where these end with "..."
  std::vector<std::pair<std::string, Value>> named = {};

  bool has(size_t i) const { return !args[i].is(Kind::absent); }
  // Arguments by type, `absent` where none was given or it is none. Each throws Error for another type.
  int64_t integer(size_t i, int64_t absent) const;
  bool truth(size_t i, bool absent) const { return has(i) ? is_true(args[i]) : absent; }
  const Text& text(size_t i) const;  // must have been given
  Text text_or(size_t i, std::string_view absent) const;
};

struct Builtin {
  std::string_view name;
  Value (*run)(Call& call);
  std::string_view parameters = "";  // "old,new,count"; "..." at the end: any more, named ones too
  size_t required = 0;
};

// Null where there is none.
const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
const Builtin* find_method(Kind kind, std::string_view name);
const Builtin* find_function(std::string_view name);
// Whether a list or dict has a method of this name that would change it: the sandbox hides these.
bool is_mutating(Kind kind, std::string_view name);

// The tables' parts that have files of their own.
std::span<const Builtin> text_filters();
std::span<const Builtin> sequence_filters();
std::span<const Builtin> string_methods();
std::span<const Builtin> loop_methods();

}  // namespace quern::chat
