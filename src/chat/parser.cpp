// Tags and what stands between them. See parser.h.
#include "chat/parser.h"

#include <algorithm>

#include "io/json.h"

namespace quern::chat {
namespace {

constexpr size_t max_nodes = size_t{1} << 18;

void mark_uses(const Node& node, Node& owner);

void mark_uses(const Body& body, Node& owner) {
  for (const Node* part : body)
    if (part) mark_uses(*part, owner);
}

// Notes which of the names that cost something are used anywhere below.
void mark_uses(const Node& node, Node& owner) {
  if (node.kind == NodeKind::name) {
    owner.uses_varargs |= node.name == "varargs";
    owner.uses_kwargs |= node.name == "kwargs";
    owner.uses_caller |= node.name == "caller";
    owner.uses_loop |= node.name == "loop";
  }
  mark_uses(node.items, owner);
  for (const Argument& a : node.arguments) mark_uses(*a.value, owner);
  for (const auto& [name, value] : node.parameters)
    if (value) mark_uses(*value, owner);
  for (const Body& body : node.bodies) mark_uses(body, owner);
}

}  // namespace

Parser::Nesting::Nesting(Parser& p) : parser(p) {
  if (++parser.nesting_ > max_ast_depth) {
    --parser.nesting_;
    parser.fail("is nested deeper than " + std::to_string(max_ast_depth) + " levels");
  }
}

Node& Parser::make(NodeKind kind, uint32_t line) {
  if (ast_.nodes.size() >= max_nodes) fail("has more than 262144 parts");
  Node& node = ast_.nodes.emplace_back();
  node.kind = kind;
  node.line = line;
  return node;
}

const Node* Parser::done(Node& node) {
  const auto count = [&node](const Node* part) {
    if (part) node.depth = std::max(node.depth, part->depth + 1);
  };
  for (const Node* part : node.items) count(part);
  for (const Argument& a : node.arguments) count(a.value);
  for (const auto& [name, value] : node.parameters) count(value);
  for (const Body& body : node.bodies)
    for (const Node* part : body) count(part);
  if (node.depth > max_ast_depth)
    fail_syntax(name_, node.line, "is nested deeper than " + std::to_string(max_ast_depth) + " levels");
  return &node;
}

const Token& Parser::next() {
  const Token& token = current();
  if (token.kind != TokenKind::end) ++at_;
  return token;
}

bool Parser::at_symbol(std::string_view symbol) const {
  return current().kind == TokenKind::symbol && current().text == symbol;
}
bool Parser::at_name(std::string_view name) const {
  return current().kind == TokenKind::name && current().text == name;
}
bool Parser::skip_symbol(std::string_view symbol) {
  if (!at_symbol(symbol)) return false;
  next();
  return true;
}
bool Parser::skip_name(std::string_view name) {
  if (!at_name(name)) return false;
  next();
  return true;
}
void Parser::expect_symbol(std::string_view symbol) {
  if (!skip_symbol(symbol)) fail("'" + std::string(symbol) + "' is missing before " + describe());
}
void Parser::expect_name(std::string_view name) {
  if (!skip_name(name)) fail("'" + std::string(name) + "' is missing before " + describe());
}
std::string Parser::expect_identifier() {
  if (current().kind != TokenKind::name) fail("a name is missing before " + describe());
  return next().text;
}
void Parser::expect(TokenKind kind, const char* what) {
  if (current().kind != kind) fail(std::string(what) + " is missing before " + describe());
  next();
}

std::string Parser::describe() const {
  constexpr const char* names[] = {"text", "a tag", "the tag's end", "{{", "}}"};
  const size_t kind = static_cast<size_t>(current().kind);
  if (kind < std::size(names)) return names[kind];
  return current().kind == TokenKind::end ? "the end" : "'" + printable(current().text, 40) + "'";
}

// Up to a tag of one of `ends`, whose name has then been read; to the end of the template if there are none.
Body Parser::parse_body(std::initializer_list<std::string_view> ends, std::string* end) {
  Body body;
  while (current().kind != TokenKind::end) {
    const Token& token = next();
    if (token.kind == TokenKind::data) {
      Node& node = make(NodeKind::data, token.line);
      node.value = Value(Kind::string, std::make_shared<StringObject>(nullptr, Text(token.text, false)));
      body.push_back(&node);
    } else if (token.kind == TokenKind::variable_begin) {
      Node& node = make(NodeKind::output, token.line);
      node.items = {parse_tuple(true, false)};
      expect(TokenKind::variable_end, "}}");
      body.push_back(done(node));
    } else {
      if (current().kind != TokenKind::name) fail("a tag's name is missing before " + describe());
      if (std::find(ends.begin(), ends.end(), current().text) != ends.end()) {
        *end = next().text;
        return body;
      }
      body.push_back(parse_statement());
      expect(TokenKind::block_end, "%}");
    }
  }
  if (ends.size() > 0) fail("'" + std::string(*std::prev(ends.end())) + "' is missing");
  return body;
}

// What follows a tag's head, and its end tag but for the closing mark.
Body Parser::parse_block(std::string_view end) {
  skip_symbol(":");
  expect(TokenKind::block_end, "%}");
  std::string found;
  return parse_body({end}, &found);
}

const Node* Parser::parse_statement() {
  constexpr struct {
    std::string_view tag;
    const Node* (Parser::*parse)();
  } tags[] = {{"set", &Parser::parse_set},         {"for", &Parser::parse_for},
              {"if", &Parser::parse_if},           {"macro", &Parser::parse_macro},
              {"call", &Parser::parse_call_block}, {"filter", &Parser::parse_filter_block},
              {"with", &Parser::parse_with},       {"generation", &Parser::parse_generation},
              {"print", &Parser::parse_print},     {"break", &Parser::parse_leave},
              {"continue", &Parser::parse_skip}};
  const Nesting nesting(*this);
  for (const auto& [tag, parse] : tags)
    if (at_name(tag)) return (this->*parse)();
  constexpr std::string_view others[] = {"block", "extends", "include", "import", "from", "autoescape"};
  if (std::find(std::begin(others), std::end(others), current().text) != std::end(others))
    throw Error(Status::unsupported, name_ + ":" + std::to_string(current().line) + ": the tag '" + current().text +
                                         "' is not supported in chat templates");
  fail("unknown tag " + describe());
}

const Node* Parser::parse_target_item(bool with_space) {
  const Token& token = current();
  if (skip_symbol("(")) {
    Node& tuple = make(NodeKind::tuple, token.line);
    const Nesting nesting(*this);
    while (!at_symbol(")")) {
      tuple.items.push_back(parse_target_item(with_space));
      if (!skip_symbol(",")) break;
    }
    expect_symbol(")");
    return done(tuple);
  }
  const std::string name = expect_identifier();
  constexpr std::string_view reserved[] = {"true", "false", "none", "True", "False", "None"};
  if (std::find(std::begin(reserved), std::end(reserved), name) != std::end(reserved))
    fail("'" + name + "' can't be assigned to");
  const bool space = with_space && skip_symbol(".");
  Node& node = make(space ? NodeKind::set_space : NodeKind::name, token.line);
  node.name = name;
  if (space) node.names.push_back(expect_identifier());
  return &node;
}

// A name, a member of a namespace, or several with commas between.
const Node* Parser::parse_target(bool with_space) {
  const uint32_t line = current().line;
  const Node* first = parse_target_item(with_space);
  if (!at_symbol(",")) return first;
  Node& tuple = make(NodeKind::tuple, line);
  tuple.items = {first};
  while (skip_symbol(",") && (current().kind == TokenKind::name || at_symbol("(")) && !at_name("in"))
    tuple.items.push_back(parse_target_item(with_space));
  return done(tuple);
}

const Node* Parser::parse_set() {
  const uint32_t line = next().line;
  const Node* target = parse_target(true);
  if (skip_symbol("=")) {
    Node& node = make(NodeKind::set, line);
    node.items = {target, parse_tuple(true, false)};
    return done(node);
  }
  Node& node = make(NodeKind::set_block, line);
  const Node* filter = nullptr;
  while (skip_symbol("|")) filter = parse_filter(filter);
  node.items = {target, filter};
  node.bodies.push_back(parse_block("endset"));
  return done(node);
}

const Node* Parser::parse_for() {
  Node& node = make(NodeKind::loop, next().line);
  const Node* target = parse_target(false);
  expect_name("in");
  const Node* over = parse_tuple(false, false);
  node.items = {target, over, skip_name("if") ? parse_expression() : nullptr};
  if (at_name("recursive"))
    throw Error(Status::unsupported, name_ + ":" + std::to_string(node.line) + ": recursive loops are not supported");
  skip_symbol(":");
  expect(TokenKind::block_end, "%}");
  std::string end;
  ++n_loops_;
  node.bodies.push_back(parse_body({"else", "endfor"}, &end));
  --n_loops_;
  if (end == "else") node.bodies.push_back(parse_block("endfor"));
  mark_uses(node.bodies[0], node);
  return done(node);
}

const Node* Parser::parse_if() {
  Node& node = make(NodeKind::branch, next().line);
  ++n_branches_;
  for (std::string end = "elif"; end == "elif";) {
    node.items.push_back(parse_tuple(false, false));
    skip_symbol(":");
    expect(TokenKind::block_end, "%}");
    node.bodies.push_back(parse_body({"elif", "else", "endif"}, &end));
    if (end == "else") node.bodies.push_back(parse_block("endif"));
  }
  --n_branches_;
  return done(node);
}

void Parser::parse_parameters(Node& node) {
  expect_symbol("(");
  while (!at_symbol(")")) {
    std::string name = expect_identifier();
    const Node* value = skip_symbol("=") ? parse_expression() : nullptr;
    if (!value && !node.parameters.empty() && node.parameters.back().second)
      fail("a parameter without a default follows one with it");
    node.parameters.emplace_back(std::move(name), value);
    if (!skip_symbol(",")) break;
  }
  expect_symbol(")");
}

const Node* Parser::parse_macro() {
  Node& node = make(NodeKind::macro, next().line);
  node.name = expect_identifier();
  parse_parameters(node);
  const int loops = std::exchange(n_loops_, 0);
  node.bodies.push_back(parse_block("endmacro"));
  n_loops_ = loops;
  mark_uses(node.bodies[0], node);
  return done(node);
}

const Node* Parser::parse_call_block() {
  Node& node = make(NodeKind::call_block, next().line);
  node.name = "caller";
  if (at_symbol("(")) parse_parameters(node);
  node.items = {parse_expression()};
  if (node.items[0]->kind != NodeKind::call) fail("the tag 'call' should have a call");
  const int loops = std::exchange(n_loops_, 0);
  node.bodies.push_back(parse_block("endcall"));
  n_loops_ = loops;
  mark_uses(node.bodies[0], node);
  return done(node);
}

const Node* Parser::parse_filter_block() {
  Node& node = make(NodeKind::filter_block, next().line);
  const Node* filter = parse_filter(nullptr);
  while (skip_symbol("|")) filter = parse_filter(filter);
  node.items = {filter};
  node.bodies.push_back(parse_block("endfilter"));
  return done(node);
}

const Node* Parser::parse_with() {
  Node& node = make(NodeKind::with, next().line);
  while (current().kind != TokenKind::block_end) {
    if (!node.items.empty()) expect_symbol(",");
    node.items.push_back(parse_target_item(false));
    expect_symbol("=");
    node.items.push_back(parse_expression());
  }
  node.bodies.push_back(parse_block("endwith"));
  return done(node);
}

// What the assistant says, for training; printed like anything else.
const Node* Parser::parse_generation() {
  Node& node = make(NodeKind::scope, next().line);
  const int loops = std::exchange(n_loops_, 0);
  node.bodies.push_back(parse_block("endgeneration"));
  n_loops_ = loops;
  return done(node);
}

const Node* Parser::parse_print() {
  Node& node = make(NodeKind::output, next().line);
  while (current().kind != TokenKind::block_end) {
    if (!node.items.empty()) expect_symbol(",");
    node.items.push_back(parse_expression());
  }
  return done(node);
}

const Node* Parser::parse_leave() {
  if (n_loops_ == 0) fail("'break' stands outside of a loop");
  return &make(NodeKind::leave, next().line);
}

const Node* Parser::parse_skip() {
  if (n_loops_ == 0) fail("'continue' stands outside of a loop");
  return &make(NodeKind::skip, next().line);
}

Ast Parser::parse() {
  std::string end;
  ast_.body = parse_body({}, &end);
  return std::move(ast_);
}

}  // namespace quern::chat
