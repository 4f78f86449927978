// Expressions, from the loosest operator to the tightest. See parser.h.
#include <algorithm>

#include "chat/builtins.h"
#include "chat/parser.h"
#include "chat/python_text.h"

namespace quern::chat {

const Node* Parser::parse_expression() {
  const Nesting nesting(*this);
  const Node* value = parse_or();
  while (at_name("if")) {
    Node& node = make(NodeKind::choice, next().line);
    ++n_branches_;
    const Node* condition = parse_or();
    node.items = {value, condition, skip_name("else") ? parse_expression() : nullptr};
    --n_branches_;
    value = done(node);
  }
  return value;
}

// One expression, or a tuple of several with commas between. parentheses: it may be empty.
const Node* Parser::parse_tuple(bool with_choice, bool parentheses) {
  const uint32_t line = current().line;
  const auto at_end = [&] {
    return current().kind == TokenKind::variable_end || current().kind == TokenKind::block_end || at_symbol(")");
  };
  std::vector<const Node*> items;
  bool is_tuple = false;
  while (!at_end()) {
    items.push_back(with_choice ? parse_expression() : parse_or());
    if (!skip_symbol(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !items.empty()) return items[0];
  if (!is_tuple && !parentheses) fail("an expression is missing before " + describe());
  Node& node = make(NodeKind::tuple, line);
  node.items = std::move(items);
  return done(node);
}

const Node* Parser::parse_or() {
  const Nesting nesting(*this);
  const Node* first = parse_and();
  if (!at_name("or")) return first;
  Node& node = make(NodeKind::any, current().line);
  node.items = {first};
  while (skip_name("or")) node.items.push_back(parse_and());
  return done(node);
}

const Node* Parser::parse_and() {
  const Node* first = parse_not();
  if (!at_name("and")) return first;
  Node& node = make(NodeKind::all, current().line);
  node.items = {first};
  while (skip_name("and")) node.items.push_back(parse_not());
  return done(node);
}

const Node* Parser::parse_not() {
  if (!at_name("not")) return parse_compare();
  const Nesting nesting(*this);
  Node& node = make(NodeKind::invert, next().line);
  node.items = {parse_not()};
  return done(node);
}

const Node* Parser::parse_compare() {
  constexpr std::string_view symbols[] = {"==", "!=", "<", "<=", ">", ">="};
  const Node* first = parse_sum();
  Node* node = nullptr;
  for (;;) {
    std::string op;
    if (current().kind == TokenKind::symbol &&
        std::find(std::begin(symbols), std::end(symbols), current().text) != std::end(symbols)) {
      op = next().text;
    } else if (skip_name("in")) {
      op = "in";
    } else if (at_name("not") && ahead().kind == TokenKind::name && ahead().text == "in") {
      next(), next();
      op = "not in";
    } else {
      return node ? done(*node) : first;
    }
    if (!node) {
      node = &make(NodeKind::compare, current().line);
      node->items = {first};
    }
    node->names.push_back(op);
    node->items.push_back(parse_sum());
  }
}

// part op part op … for operators of the same rank.
const Node* Parser::parse_chain(const Node* (Parser::*part)(), std::initializer_list<std::string_view> operators) {
  const Node* first = (this->*part)();
  Node* node = nullptr;
  const auto at_operator = [&] {
    return current().kind == TokenKind::symbol &&
           std::find(operators.begin(), operators.end(), current().text) != operators.end();
  };
  while (at_operator()) {
    if (!node) {
      node = &make(NodeKind::arithmetic, current().line);
      node->items = {first};
    }
    node->names.push_back(next().text);
    node->items.push_back((this->*part)());
  }
  return node ? done(*node) : first;
}

const Node* Parser::parse_sum() {
  return parse_chain(&Parser::parse_concat, {"+", "-"});
}

const Node* Parser::parse_concat() {
  const Node* first = parse_product();
  if (!at_symbol("~")) return first;
  Node& node = make(NodeKind::concat, current().line);
  node.items = {first};
  while (skip_symbol("~")) node.items.push_back(parse_product());
  return done(node);
}

const Node* Parser::parse_product() {
  return parse_chain(&Parser::parse_power, {"*", "/", "//", "%"});
}

const Node* Parser::parse_power() {
  const Node* first = parse_unary(true);
  if (!at_symbol("**")) return first;
  Node& node = make(NodeKind::arithmetic, current().line);
  node.items = {first};
  while (skip_symbol("**")) {
    node.names.push_back("**");
    node.items.push_back(parse_unary(true));
  }
  return done(node);
}

const Node* Parser::parse_unary(bool with_filter) {
  const Node* node;
  if (at_symbol("-") || at_symbol("+")) {
    const Nesting nesting(*this);
    const NodeKind kind = at_symbol("-") ? NodeKind::negate : NodeKind::plus;
    Node& sign = make(kind, next().line);
    sign.items = {parse_unary(false)};
    node = done(sign);
  } else {
    node = parse_primary();
  }
  node = parse_postfix(node);
  return with_filter ? parse_filters(node) : node;
}

const Node* Parser::parse_number(const Token& token) {
  Node& node = make(NodeKind::constant, token.line);
  if (token.kind == TokenKind::integer) {
    const auto value = parse_integer(token.text, 0);
    if (!value) fail_syntax(name_, token.line, "the number " + token.text + " does not fit 64 bits");
    node.value = Value(*value);
  } else {
    node.value = Value(parse_real(token.text).value_or(0));
  }
  return &node;
}

const Node* Parser::parse_primary() {
  static const std::pair<std::string_view, Value> constants[] = {{"true", Value(true)},   {"True", Value(true)},
                                                                 {"false", Value(false)}, {"False", Value(false)},
                                                                 {"none", Value::none()}, {"None", Value::none()}};
  const Token& token = current();
  if (token.kind == TokenKind::name) {
    next();
    for (const auto& [name, value] : constants) {
      if (token.text != name) continue;
      Node& node = make(NodeKind::constant, token.line);
      node.value = value;
      return &node;
    }
    Node& node = make(NodeKind::name, token.line);
    node.name = token.text;
    return &node;
  }
  if (token.kind == TokenKind::string) {
    std::string text;
    while (current().kind == TokenKind::string) text += next().text;
    Node& node = make(NodeKind::constant, token.line);
    node.value = Value(Kind::string, std::make_shared<StringObject>(nullptr, Text(text, false)));
    return &node;
  }
  if (token.kind == TokenKind::integer || token.kind == TokenKind::real) return parse_number(next());
  if (at_symbol("[")) return parse_list();
  if (at_symbol("{")) return parse_dict();
  if (!skip_symbol("(")) fail("unexpected " + describe());
  const Node* node = parse_tuple(true, true);
  expect_symbol(")");
  return node;
}

const Node* Parser::parse_list() {
  Node& node = make(NodeKind::list, next().line);
  while (!at_symbol("]")) {
    node.items.push_back(parse_expression());
    if (!skip_symbol(",")) break;
  }
  expect_symbol("]");
  return done(node);
}

const Node* Parser::parse_dict() {
  Node& node = make(NodeKind::dict, next().line);
  while (!at_symbol("}")) {
    node.items.push_back(parse_expression());
    expect_symbol(":");
    node.items.push_back(parse_expression());
    if (!skip_symbol(",")) break;
  }
  expect_symbol("}");
  return done(node);
}

const Node* Parser::parse_postfix(const Node* node) {
  for (;;) {
    if (at_symbol(".") || at_symbol("[")) {
      node = parse_subscript(node);
    } else if (at_symbol("(")) {
      node = parse_call(node);
    } else {
      return node;
    }
  }
}

const Node* Parser::parse_filters(const Node* node) {
  for (;;) {
    if (skip_symbol("|")) {
      node = parse_filter(node);
    } else if (at_name("is")) {
      node = parse_test(node);
    } else if (at_symbol("(")) {
      node = parse_call(node);
    } else {
      return node;
    }
  }
}

const Node* Parser::parse_filter(const Node* input) {
  Node& node = make(NodeKind::filter, current().line);
  node.name = expect_identifier();
  node.items = {input};
  if (at_symbol("(")) parse_arguments(node);
  node.builtin = find_filter(node.name);
  // Within branches an unknown one is an error only when it is reached.
  if (!node.builtin && n_branches_ == 0) fail_syntax(name_, node.line, "there is no filter '" + node.name + "'");
  return done(node);
}

const Node* Parser::parse_test(const Node* input) {
  Node& node = make(NodeKind::test, next().line);
  const bool negated = skip_name("not");
  node.name = expect_identifier();
  node.items = {input};
  const TokenKind kind = current().kind;
  const bool operand = kind == TokenKind::name || kind == TokenKind::string || kind == TokenKind::integer ||
                       kind == TokenKind::real || at_symbol("[") || at_symbol("{");
  constexpr std::string_view followers[] = {"else", "or", "and"};
  const bool follower = kind == TokenKind::name &&
                        std::find(std::begin(followers), std::end(followers), current().text) != std::end(followers);
  if (at_symbol("(")) {
    parse_arguments(node);
  } else if (operand && !follower) {
    if (at_name("is")) fail("tests can't be chained");
    node.arguments.push_back({Argument::Kind::positional, "", parse_postfix(parse_primary())});
  }
  node.builtin = find_test(node.name);
  if (!node.builtin && n_branches_ == 0) fail_syntax(name_, node.line, "there is no test '" + node.name + "'");
  const Node* test = done(node);
  if (!negated) return test;
  Node& inverted = make(NodeKind::invert, node.line);
  inverted.items = {test};
  return done(inverted);
}

const Node* Parser::parse_subscript(const Node* base) {
  const Token& token = next();
  if (token.text == ".") {
    const bool number = current().kind == TokenKind::integer;
    Node& node = make(number ? NodeKind::item : NodeKind::attribute, token.line);
    node.items = {base};
    if (number) {
      node.items.push_back(parse_number(next()));
    } else {
      node.name = expect_identifier();
    }
    return done(node);
  }
  const Node* parts[3] = {};
  size_t n = 0;
  bool is_slice = false;
  for (;;) {
    if (!at_symbol(":") && !at_symbol("]")) parts[n] = parse_expression();
    if (n == 2 || !skip_symbol(":")) break;
    is_slice = true;
    ++n;
  }
  expect_symbol("]");
  if (!is_slice && !parts[0]) fail("a subscript is empty");
  Node& node = make(is_slice ? NodeKind::slice : NodeKind::item, token.line);
  node.items = {base, parts[0]};
  if (is_slice) node.items.insert(node.items.end(), {parts[1], parts[2]});
  return done(node);
}

const Node* Parser::parse_call(const Node* callee) {
  Node& node = make(NodeKind::call, current().line);
  node.items = {callee};
  parse_arguments(node);
  return done(node);
}

void Parser::parse_arguments(Node& node) {
  using Kind = Argument::Kind;
  expect_symbol("(");
  while (!at_symbol(")")) {
    Argument a{Kind::positional, "", nullptr};
    if (skip_symbol("*")) {
      a.kind = Kind::star;
    } else if (skip_symbol("**")) {
      a.kind = Kind::double_star;
    } else if (current().kind == TokenKind::name && ahead().kind == TokenKind::symbol && ahead().text == "=") {
      a.kind = Kind::named;
      a.name = next().text;
      next();
    }
    if (!node.arguments.empty() && a.kind < node.arguments.back().kind && a.kind == Kind::positional)
      fail("a positional argument follows a named one");
    a.value = parse_expression();
    node.arguments.push_back(std::move(a));
    if (!skip_symbol(",")) break;
  }
  expect_symbol(")");
}

}  // namespace quern::chat
