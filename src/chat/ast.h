// A parsed template: nodes that point to one another, all owned by one Ast.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/value.h"

namespace quern::chat {

enum class NodeKind : uint8_t {
  // Expressions.
  constant,    // value
  name,        // name
  list,        // items
  tuple,       // items
  dict,        // items: key, value, key, value
  attribute,   // items[0].name
  item,        // items[0][items[1]]
  slice,       // items[0][items[1]:items[2]:items[3]], each of the three may be null
  call,        // items[0](arguments)
  filter,      // items[0] | name(arguments); items[0] is null at a block's head
  test,        // items[0] is name(arguments)
  negate,      // -items[0]
  plus,        // +items[0]
  invert,      // not items[0]
  all,         // items[0] and items[1] …
  any,         // items[0] or items[1] …
  compare,     // items[0] op items[1] op …, operators in names
  arithmetic,  // likewise, from left to right
  concat,      // items[0] ~ items[1] …
  choice,      // items[0] if items[1] else items[2], which may be null
  // Statements.
  data,          // value
  output,        // items, each printed
  set,           // items[0] = items[1]
  set_block,     // items[0] = body, through the filter items[1] if not null
  set_space,     // a target: name.names[0]
  branch,        // items[i] decides on bodies[i]; one more body is the else
  loop,          // for items[0] in items[1] if items[2] (may be null): bodies[0], else bodies[1]
  leave,         // break
  skip,          // continue
  macro,         // name, parameters, bodies[0]
  call_block,    // parameters, items[0] is the call, bodies[0]
  filter_block,  // items[0] is the filter, bodies[0]
  with,          // items: target, value, target, value; bodies[0]
  scope,         // bodies[0]
};

struct Builtin;
struct Node;

struct Argument {
  enum class Kind : uint8_t { positional, named, star, double_star } kind;
  std::string name;
  const Node* value;
};

using Body = std::vector<const Node*>;

struct Node {
  NodeKind kind;
  uint32_t line;
  uint32_t depth = 1;  // nodes on the longest way down
  std::string name;
  Value value;
  std::vector<const Node*> items;
  std::vector<std::string> names;
  std::vector<Argument> arguments;
  std::vector<std::pair<std::string, const Node*>> parameters;  // and their defaults, which may be null
  std::vector<Body> bodies;
  const Builtin* builtin = nullptr;  // of filter and test
  // Of a macro: which of the names that hold what was given beyond its parameters it uses.
  bool uses_varargs = false, uses_kwargs = false, uses_caller = false;
  bool uses_loop = false;  // of a loop: the name loop appears in its body
};

struct Ast {
  std::deque<Node> nodes;
  Body body;
};

}  // namespace quern::chat
