// Statements. See evaluator.h.
#include "chat/evaluator.h"

#include <algorithm>

#include "chat/loop.h"
#include "io/json.h"

namespace quern::chat {
namespace {

constexpr uint32_t max_nesting = 1000;  // nodes that are being run within one another, at some 500 bytes of stack each
constexpr size_t max_kept = 100'000;
constexpr size_t max_given = 256;  // positional arguments of a macro

struct MacroObject final : CallableObject {
  MacroObject(Budget* budget, const Node& node, std::shared_ptr<Scope> scope)
      : CallableObject(budget, 96), node(node), scope(std::move(scope)) {}
  void clear() override { scope.reset(); }
  Value call(Evaluator& e, Arguments& arguments) override { return e.run_macro(node, scope, arguments); }
  std::string describe() const override { return "<Macro '" + node.name + "'>"; }
  const Node& node;
  std::shared_ptr<Scope> scope;
};

}  // namespace

Value* Scope::find(std::string_view name) {
  for (auto& [key, value] : values)
    if (key == name) return &value;
  return nullptr;
}

void Scope::set(std::string_view name, Value value) {
  if (Value* old = find(name)) {
    *old = std::move(value);
  } else {
    values.emplace_back(name, std::move(value));
  }
}

Evaluator::Nesting::Nesting(Evaluator& evaluator) : e(evaluator) {
  if (e.nesting_ >= max_nesting) e.fail("expressions, blocks and macros are nested too deep");
  ++e.nesting_;
}

// A scope of its own until the end of a block.
struct Evaluator::InScope {
  InScope(Evaluator& e, std::shared_ptr<Scope> parent) : e(e), outer(e.scope_) {
    e.scope_ = std::make_shared<Scope>(&e.budget, std::move(parent));
  }
  explicit InScope(Evaluator& e) : InScope(e, e.scope_) {}
  ~InScope() { e.scope_ = std::move(outer); }
  Evaluator& e;
  std::shared_ptr<Scope> outer;
};

// Output goes to `text` until the end of a block.
struct Evaluator::Capture {
  explicit Capture(Evaluator& e) : e(e), outer(e.out_) { e.out_ = &text; }
  ~Capture() { e.out_ = outer; }
  Evaluator& e;
  Text* outer;
  Text text;
};

Evaluator::Evaluator(const Ast& ast, const std::string& name, const ChatLimits& limits)
    : budget(limits.steps, limits.memory_bytes),
      ast_(ast),
      name_(name),
      limits_(limits),
      scope_(std::make_shared<Scope>(&budget, nullptr)) {}

// Whatever may hold itself lets go first; nothing is freed while it does, for kept_ still holds all of it.
Evaluator::~Evaluator() {
  for (const std::shared_ptr<Object>& object : kept_) object->clear();
}

void Evaluator::define(const std::string& name, Value value) {
  if (Value* old = scope_->find(name)) {
    *old = std::move(value);
  } else {
    scope_->set(names_.emplace_back(name), std::move(value));
  }
}

void Evaluator::fail(const std::string& what) const {
  throw Error(Status::bad_argument, name_ + ":" + std::to_string(line_) + ": " + what);
}

Text Evaluator::render() {
  Text text;
  out_ = &text;
  try {
    run(ast_.body);
  } catch (const Error& e) {  // the budget's and values' do not know the line
    if (e.message.starts_with(name_ + ":")) throw;
    fail(e.message);
  }
  return text;
}

void Evaluator::print(const Text& text) {
  append(*out_, text);
}

Evaluator::Flow Evaluator::run(const Body& body) {
  for (const Node* node : body) {
    const Flow flow = run(*node);
    if (flow != Flow::on) return flow;
  }
  return Flow::on;
}

Evaluator::Flow Evaluator::run(const Node& node) {
  const Nesting nesting(*this);
  budget.step();
  line_ = node.line;
  switch (node.kind) {
    case NodeKind::data:
      print(node.value.text());
      return Flow::on;
    case NodeKind::output:
      for (const Node* item : node.items) print(text_of(evaluate(*item)));
      return Flow::on;
    case NodeKind::set:
      assign(*node.items[0], evaluate(*node.items[1]));
      return Flow::on;
    case NodeKind::set_block:
      run_set_block(node);
      return Flow::on;
    case NodeKind::branch:
      return run_branch(node);
    case NodeKind::loop:
      return run_loop(node);
    case NodeKind::leave:
      return Flow::leave;
    case NodeKind::skip:
      return Flow::skip;
    case NodeKind::macro:
      scope_->set(node.name, make_macro(node));
      return Flow::on;
    case NodeKind::call_block:
      run_call_block(node);
      return Flow::on;
    case NodeKind::filter_block:
      run_filter_block(node);
      return Flow::on;
    case NodeKind::with:
      return run_with(node);
    case NodeKind::scope: {
      const InScope scope(*this);
      return run(node.bodies[0]);
    }
    default:
      fail("this can't be run");
  }
}

Evaluator::Flow Evaluator::run_branch(const Node& node) {
  for (size_t i = 0; i < node.items.size(); ++i)
    if (is_true(evaluate(*node.items[i]))) return run(node.bodies[i]);
  return node.bodies.size() > node.items.size() ? run(node.bodies.back()) : Flow::on;
}

// Those items that the loop's condition lets through, each looked at when it is asked for.
Next Evaluator::filtered(const Node& node, Next next) {
  return [this, &node, next = std::move(next), outer = scope_](Value& out) {
    while (next(out)) {
      const InScope scope(*this, outer);
      assign(*node.items[0], out);
      if (is_true(evaluate(*node.items[2]))) return true;
    }
    return false;
  };
}

Evaluator::Flow Evaluator::run_loop(const Node& node) {
  const Value over = evaluate(*node.items[1]);
  Next next = iterate(over);
  const bool whole = !node.items[2];
  if (!whole) next = filtered(node, std::move(next));
  const auto loop =
      std::make_shared<LoopObject>(&budget, std::move(next), whole ? size_of(over) : std::nullopt, depth_of(over) + 1);
  const LoopObject::Ending ending{*loop};
  while (loop->advance()) {
    budget.step();
    const InScope scope(*this);
    if (node.uses_loop) scope_->set("loop", Value(Kind::loop, loop));
    assign(*node.items[0], loop->current);
    if (run(node.bodies[0]) == Flow::leave) break;
  }
  if (loop->index0 < 0 && node.bodies.size() > 1) {
    const InScope scope(*this);
    return run(node.bodies[1]);
  }
  return Flow::on;
}

Evaluator::Flow Evaluator::run_with(const Node& node) {
  std::vector<Value> values;
  for (size_t i = 1; i < node.items.size(); i += 2) values.push_back(evaluate(*node.items[i]));
  const InScope scope(*this);
  for (size_t i = 0; i < values.size(); ++i) assign(*node.items[2 * i], std::move(values[i]));
  return run(node.bodies[0]);
}

// What a body prints, as a string.
Value Evaluator::capture(const Body& body) {
  Capture capture(*this);
  run(body);
  return string(std::move(capture.text));
}

void Evaluator::run_set_block(const Node& node) {
  Value value;
  {
    const InScope scope(*this);
    value = capture(node.bodies[0]);
  }
  if (node.items[1]) value = filter_block(*node.items[1], value);
  assign(*node.items[0], std::move(value));
}

void Evaluator::run_filter_block(const Node& node) {
  Value value;
  {
    const InScope scope(*this);
    value = capture(node.bodies[0]);
  }
  print(text_of(filter_block(*node.items[0], value)));
}

void Evaluator::run_call_block(const Node& node) {
  const Node& call_node = *node.items[0];
  const Value callee = evaluate(*call_node.items[0]);
  Arguments arguments = arguments_of(call_node);
  arguments.named.emplace_back("caller", make_macro(node));
  line_ = node.line;
  print(text_of(call(callee, arguments)));
}

Value Evaluator::make_macro(const Node& node) {
  if (kept_.size() >= max_kept) fail("makes more than 100000 macros and namespaces");
  auto macro = std::make_shared<MacroObject>(&budget, node, scope_);
  kept_.push_back(scope_);
  kept_.push_back(macro);
  return Value(Kind::callable, std::move(macro));
}

Value Evaluator::space() {
  if (kept_.size() >= max_kept) fail("makes more than 100000 macros and namespaces");
  auto object = std::make_shared<SpaceObject>(&budget);
  kept_.push_back(object);
  return Value(Kind::space, std::move(object));
}

Value Evaluator::run_macro(const Node& macro, const std::shared_ptr<Scope>& scope, Arguments& arguments) {
  const Nesting nesting(*this);
  if (n_macros_ >= limits_.macro_depth) fail("macros call one another too deep");
  if (arguments.positional.size() > max_given) fail("a macro is given more than 256 arguments");
  const size_t n = macro.parameters.size();
  std::vector<Value> values(n, Value::absent());
  for (size_t i = 0; i < n && i < arguments.positional.size(); ++i) values[i] = arguments.positional[i];
  std::vector<DictObject::Entry> rest;
  Value caller = undefined("No caller defined");
  for (auto& [name, value] : arguments.named) {
    const auto found = std::find_if(macro.parameters.begin(), macro.parameters.end(),
                                    [&name = name](const auto& p) { return p.first == name; });
    const size_t i = static_cast<size_t>(found - macro.parameters.begin());
    if (i < n && i >= arguments.positional.size()) {
      values[i] = value;
    } else if (name == "caller" && macro.uses_caller) {
      caller = value;
    } else if (macro.uses_kwargs && i == n) {
      rest.emplace_back(string(name), value);
    } else {
      fail("macro '" + macro.name + "' takes no keyword argument '" + printable(name) + "'");
    }
  }
  if (arguments.positional.size() > n && !macro.uses_varargs)
    fail("macro '" + macro.name + "' takes not more than " + std::to_string(n) + " argument(s)");
  const InScope inside(*this, scope);
  if (macro.uses_caller) scope_->set("caller", std::move(caller));
  if (macro.uses_kwargs) scope_->set("kwargs", dict(std::move(rest)));
  if (macro.uses_varargs) {
    const auto& all = arguments.positional;
    const size_t from = std::min(n, all.size());
    scope_->set("varargs", tuple({all.begin() + static_cast<std::ptrdiff_t>(from), all.end()}));
  }
  // All parameters are there before the first default is made, which may name them.
  for (size_t i = 0; i < n; ++i) {
    const std::string& name = macro.parameters[i].first;
    scope_->set(name, values[i].is(Kind::absent) ? undefined("parameter '" + name + "' was not provided") : values[i]);
  }
  for (size_t i = 0; i < n; ++i)
    if (const auto& [name, value] = macro.parameters[i]; value && values[i].is(Kind::absent))
      scope_->set(name, evaluate(*value));
  ++n_macros_;
  Value out = capture(macro.bodies[0]);
  --n_macros_;
  return out;
}

void Evaluator::assign(const Node& target, Value value) {
  if (target.kind == NodeKind::name) return scope_->set(target.name, std::move(value));
  if (target.kind == NodeKind::tuple) return unpack(target, value);
  const Value space = evaluate_name(target);
  if (!space.is(Kind::space))
    fail("'" + target.name + "' is no namespace, so that '" + target.names[0] + "' can't be set");
  if (target.names[0].starts_with('_')) fail("names in a namespace can't begin with an underscore");
  auto& object = space.as<SpaceObject>();
  if (Value* old = object.find(target.names[0])) {
    *old = std::move(value);
  } else {
    object.values.emplace_back(target.names[0], std::move(value));
  }
}

void Evaluator::unpack(const Node& target, const Value& value) {
  const Next next = iterate(value);
  std::vector<Value> values;
  Value item;
  while (values.size() <= target.items.size() && next(item)) values.push_back(item);
  if (values.size() != target.items.size())
    fail(std::string(values.size() < target.items.size() ? "not enough" : "too many") + " values to unpack: expected " +
         std::to_string(target.items.size()));
  for (size_t i = 0; i < values.size(); ++i) assign(*target.items[i], std::move(values[i]));
}

}  // namespace quern::chat
