// Runs a parsed template. One evaluator renders once.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/ast.h"
#include "chat/builtins.h"
#include "chat/chat_template.h"

namespace quern::chat {

struct Scope : Object {
  Scope(Budget* budget, std::shared_ptr<Scope> parent) : Object(budget, 96), parent(std::move(parent)) {}
  void clear() override { values.clear(); }
  Value* find(std::string_view name);
  void set(std::string_view name, Value value);
  std::vector<std::pair<std::string_view, Value>> values;  // names lie in the Ast or the evaluator
  std::shared_ptr<Scope> parent;
};

// What can be called that is no builtin.
struct CallableObject : Object {
  using Object::Object;
  virtual Value call(Evaluator& e, Arguments& arguments) = 0;
  virtual std::string describe() const = 0;
};

using Next = IteratorObject::Next;

class Evaluator {
 public:
  Evaluator(const Ast& ast, const std::string& name, const ChatLimits& limits);
  ~Evaluator();
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  void define(const std::string& name, Value value);
  // Once. Throws Error bad_argument.
  Text render();

  Budget budget;

  // Throws Error bad_argument with the template's name and the line that is being run.
  [[noreturn]] void fail(const std::string& what) const;

  // New values.
  Value string(Text text, bool markup = false);
  Value string(std::string_view text, bool from_user = false) { return string(Text(text, from_user)); }
  // Grows a text that is being made; fails above the size that any text may have.
  void append(Text& text, const Text& more);
  void append(Text& text, const Text& more, size_t begin, size_t end);
  void append(Text& text, std::string_view more, bool from_user = false);
  Value list(std::vector<Value> items);
  Value tuple(std::vector<Value> items);
  Value dict(std::vector<DictObject::Entry> entries);
  Value iterator(Next next, uint32_t depth);
  Value undefined(std::string why);
  // A namespace is kept until the rendering ends, for namespaces may hold one another.
  Value space();

  // str(), repr(), iter(), list(), a.name, a[key], a(…): as jinja2's sandbox has them.
  Text text_of(const Value& value);
  Text repr_of(const Value& value, uint32_t depth = 0);
  Next iterate(const Value& value);
  std::vector<Value> items_of(const Value& value);
  Value attribute(const Value& value, std::string_view name);
  Value item(const Value& value, const Value& key);
  Value slice(const Value& value, const Value& start, const Value& stop, const Value& step);
  Value call(const Value& callee, Arguments& arguments);
  Value run(const Builtin& builtin, const Value& self, Arguments& arguments);
  bool contains(const Value& container, const Value& item);
  bool compare(std::string_view op, const Value& a, const Value& b);
  Value arithmetic(std::string_view op, const Value& a, const Value& b);
  // Fails where a value is undefined, as its use in an operation does.
  void refuse_undefined(const Value& value) const;
  const Value& hashable(const Value& value) const;

  // Of a macro: its body in a scope that has its parameters.
  Value run_macro(const Node& macro, const std::shared_ptr<Scope>& scope, Arguments& arguments);

 private:
  enum class Flow : uint8_t { on, leave, skip };
  struct Loop;
  // Bounds the stack.
  struct Nesting {
    explicit Nesting(Evaluator& e);
    ~Nesting() { --e.nesting_; }
    Evaluator& e;
  };
  struct InScope;
  struct Capture;

  // Statements: evaluator.cpp.
  Flow run(const Body& body);
  Flow run(const Node& node);
  Flow run_branch(const Node& node);
  Flow run_loop(const Node& node);
  Flow run_with(const Node& node);
  Next filtered(const Node& node, Next next);
  void run_set_block(const Node& node);
  void run_call_block(const Node& node);
  void run_filter_block(const Node& node);
  Value capture(const Body& body);
  void assign(const Node& target, Value value);
  void unpack(const Node& target, const Value& value);
  void print(const Text& text);
  Value make_macro(const Node& node);

  // Expressions: evaluator_expressions.cpp.
  Value evaluate(const Node& node);
  Value evaluate_name(const Node& node);
  Value evaluate_list(const Node& node);
  Value evaluate_tuple(const Node& node);
  Value evaluate_dict(const Node& node);
  Value evaluate_slice(const Node& node);
  Value evaluate_call(const Node& node);
  Value evaluate_filter(const Node& node);
  Value evaluate_test(const Node& node);
  Value evaluate_sign(const Node& node);
  Value evaluate_all(const Node& node);
  Value evaluate_any(const Node& node);
  Value evaluate_compare(const Node& node);
  Value evaluate_arithmetic(const Node& node);
  Value evaluate_concat(const Node& node);
  Value evaluate_choice(const Node& node);
  Value apply_filter(const Node& node, const Value& input);
  Value filter_block(const Node& node, const Value& block);
  Arguments arguments_of(const Node& node);
  std::vector<Value> values_of(const std::vector<const Node*>& items);
  void check_growth(size_t size, size_t more);
  Value loop_attribute(const Value& loop, std::string_view name);
  Value bind(const Value& self, const Builtin& builtin);

  const Ast& ast_;
  const std::string& name_;
  const ChatLimits& limits_;
  uint32_t line_ = 1, nesting_ = 0, n_macros_ = 0;
  Text* out_ = nullptr;
  std::deque<std::string> names_;              // of the context
  std::vector<std::shared_ptr<Object>> kept_;  // what may be part of a cycle
  std::shared_ptr<Scope> scope_;
};

// A text that went through the filter safe.
inline bool is_markup(const Value& v) {
  return v.is(Kind::string) && v.as<StringObject>().markup;
}

// & < > quotes as HTML entities, as markupsafe has them.
Text escape_html(Evaluator& e, const Text& text);

// A value as JSON, as json.dumps writes it.
struct JsonStyle {
  bool ascii = false, sort_keys = false;
  std::optional<Text> indent;
  Text item_separator, key_separator;
};
Text to_json(Evaluator& e, const Value& value, const JsonStyle& style);

// format % values and format.format(…).
Text format_percent(Evaluator& e, const Text& format, const Value& values);
Text format_braces(Evaluator& e, const Text& format, const Arguments& arguments);

}  // namespace quern::chat
