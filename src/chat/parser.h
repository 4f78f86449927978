// Tokens to nodes, by jinja2's grammar.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "chat/ast.h"
#include "chat/lexer.h"

namespace quern::chat {

constexpr uint32_t max_ast_depth = 200;

class Parser {
 public:
  Parser(std::vector<Token> tokens, const std::string& name) : tokens_(std::move(tokens)), name_(name) {}
  // Throws Error bad_file, or unsupported for tags that chat templates don't have (include, block …).
  Ast parse();

 private:
  // Statements: parser.cpp.
  Body parse_body(std::initializer_list<std::string_view> ends, std::string* end);
  Body parse_block(std::string_view end);
  const Node* parse_statement();
  const Node* parse_set();
  const Node* parse_for();
  const Node* parse_if();
  const Node* parse_macro();
  const Node* parse_call_block();
  const Node* parse_filter_block();
  const Node* parse_with();
  const Node* parse_generation();
  const Node* parse_print();
  const Node* parse_leave();
  const Node* parse_skip();
  void parse_parameters(Node& node);
  const Node* parse_target(bool with_space);
  const Node* parse_target_item(bool with_space);

  // Expressions: parser_expressions.cpp.
  const Node* parse_expression();
  const Node* parse_tuple(bool with_choice, bool parentheses);
  const Node* parse_or();
  const Node* parse_and();
  const Node* parse_not();
  const Node* parse_compare();
  const Node* parse_sum();
  const Node* parse_concat();
  const Node* parse_product();
  const Node* parse_power();
  const Node* parse_chain(const Node* (Parser::*part)(), std::initializer_list<std::string_view> operators);
  const Node* parse_unary(bool with_filter);
  const Node* parse_primary();
  const Node* parse_number(const Token& token);
  const Node* parse_list();
  const Node* parse_dict();
  const Node* parse_postfix(const Node* node);
  const Node* parse_filters(const Node* node);
  const Node* parse_filter(const Node* node);
  const Node* parse_test(const Node* node);
  const Node* parse_subscript(const Node* node);
  const Node* parse_call(const Node* node);
  void parse_arguments(Node& node);

  Node& make(NodeKind kind, uint32_t line);
  // Fixes the node's depth, for all its parts are there.
  const Node* done(Node& node);
  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& next();
  bool at_symbol(std::string_view symbol) const;
  bool at_name(std::string_view name) const;
  bool skip_symbol(std::string_view symbol);
  bool skip_name(std::string_view name);
  void expect_symbol(std::string_view symbol);
  void expect_name(std::string_view name);
  std::string expect_identifier();
  void expect(TokenKind kind, const char* what);
  [[noreturn]] void fail(const std::string& what) const { fail_syntax(name_, current().line, what); }
  std::string describe() const;

  // How deep the parser itself is; the bound keeps its stack small.
  struct Nesting {
    explicit Nesting(Parser& parser);
    ~Nesting() { --parser.nesting_; }
    Parser& parser;
  };

  std::vector<Token> tokens_;
  const std::string& name_;
  size_t at_ = 0;
  uint32_t nesting_ = 0;
  int n_loops_ = 0, n_branches_ = 0;
  Ast ast_;
};

}  // namespace quern::chat
