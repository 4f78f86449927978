// Expressions. See evaluator.h.
#include <algorithm>

#include "chat/evaluator.h"
#include "chat/python_text.h"
#include "io/json.h"

namespace quern::chat {

Value Evaluator::evaluate(const Node& node) {
  const Nesting nesting(*this);
  budget.step();
  switch (node.kind) {
    case NodeKind::constant:
      return node.value;
    case NodeKind::name:
      return evaluate_name(node);
    case NodeKind::list:
      return evaluate_list(node);
    case NodeKind::tuple:
      return evaluate_tuple(node);
    case NodeKind::dict:
      return evaluate_dict(node);
    case NodeKind::attribute: {
      const Value value = evaluate(*node.items[0]);
      line_ = node.line;
      return attribute(value, node.name);
    }
    case NodeKind::item: {
      const Value value = evaluate(*node.items[0]);
      const Value key = evaluate(*node.items[1]);
      line_ = node.line;
      return item(value, key);
    }
    case NodeKind::slice:
      return evaluate_slice(node);
    case NodeKind::call:
      return evaluate_call(node);
    case NodeKind::filter:
      return evaluate_filter(node);
    case NodeKind::test:
      return evaluate_test(node);
    case NodeKind::negate:
    case NodeKind::plus:
      return evaluate_sign(node);
    case NodeKind::invert:
      return Value(!is_true(evaluate(*node.items[0])));
    case NodeKind::all:
      return evaluate_all(node);
    case NodeKind::any:
      return evaluate_any(node);
    case NodeKind::compare:
      return evaluate_compare(node);
    case NodeKind::arithmetic:
      return evaluate_arithmetic(node);
    case NodeKind::concat:
      return evaluate_concat(node);
    case NodeKind::choice:
      return evaluate_choice(node);
    default:
      fail("this is no expression");
  }
}

Value Evaluator::evaluate_name(const Node& node) {
  for (Scope* scope = scope_.get(); scope; scope = scope->parent.get())
    if (const Value* value = scope->find(node.name)) return *value;
  if (const Builtin* function = find_function(node.name)) return bind(Value::none(), *function);
  return undefined("'" + node.name + "' is undefined");
}

std::vector<Value> Evaluator::values_of(const std::vector<const Node*>& items) {
  std::vector<Value> values;
  values.reserve(items.size());
  for (const Node* item : items) values.push_back(evaluate(*item));
  return values;
}

Value Evaluator::evaluate_list(const Node& node) {
  return list(values_of(node.items));
}

Value Evaluator::evaluate_tuple(const Node& node) {
  return tuple(values_of(node.items));
}

Value Evaluator::evaluate_dict(const Node& node) {
  std::vector<DictObject::Entry> entries;
  for (size_t i = 0; i < node.items.size(); i += 2) {
    Value key = evaluate(*node.items[i]);
    entries.emplace_back(hashable(key), evaluate(*node.items[i + 1]));
  }
  return dict(std::move(entries));
}

Value Evaluator::evaluate_slice(const Node& node) {
  const Value value = evaluate(*node.items[0]);
  Value bounds[3];
  for (size_t i = 0; i < 3; ++i) bounds[i] = node.items[i + 1] ? evaluate(*node.items[i + 1]) : Value::none();
  line_ = node.line;
  return slice(value, bounds[0], bounds[1], bounds[2]);
}

Arguments Evaluator::arguments_of(const Node& node) {
  Arguments out;
  for (const Argument& a : node.arguments) {
    const Value value = evaluate(*a.value);
    if (a.kind == Argument::Kind::positional) {
      out.positional.push_back(value);
    } else if (a.kind == Argument::Kind::named) {
      out.named.emplace_back(a.name, value);
    } else if (a.kind == Argument::Kind::star) {
      for (Value& item : items_of(value)) out.positional.push_back(std::move(item));
    } else {
      if (!value.is(Kind::dict)) fail("arguments after ** should be a mapping, not " + type_name(value));
      for (const auto& [key, item] : value.dict().entries) {
        if (!key.is(Kind::string)) fail("names of arguments should be strings");
        out.named.emplace_back(key.text().bytes(), item);
      }
    }
  }
  return out;
}

Value Evaluator::evaluate_call(const Node& node) {
  const Value callee = evaluate(*node.items[0]);
  Arguments arguments = arguments_of(node);
  line_ = node.line;
  Value out = call(callee, arguments);
  line_ = node.line;
  return out;
}

Value Evaluator::evaluate_filter(const Node& node) {
  return apply_filter(node, evaluate(*node.items[0]));
}

// At the head of a block the first of several filters has no input but the block.
Value Evaluator::filter_block(const Node& node, const Value& block) {
  return apply_filter(node, node.items[0] ? filter_block(*node.items[0], block) : block);
}

Value Evaluator::apply_filter(const Node& node, const Value& input) {
  Arguments arguments = arguments_of(node);
  line_ = node.line;
  if (!node.builtin) fail("there is no filter '" + node.name + "'");
  return run(*node.builtin, input, arguments);
}

Value Evaluator::evaluate_test(const Node& node) {
  const Value input = evaluate(*node.items[0]);
  Arguments arguments = arguments_of(node);
  line_ = node.line;
  if (!node.builtin) fail("there is no test '" + node.name + "'");
  return run(*node.builtin, input, arguments);
}

Value Evaluator::evaluate_sign(const Node& node) {
  const Value value = evaluate(*node.items[0]);
  line_ = node.line;
  refuse_undefined(value);
  if (!value.is_number()) fail("a sign stands before a value of type " + type_name(value));
  if (node.kind == NodeKind::plus)
    return value.is_whole() ? Value(value.integer(), value.from_user()) : Value(value.real(), value.from_user());
  if (!value.is_whole()) return Value(-value.real(), value.from_user());
  return arithmetic("-", Value(int64_t{0}), value);
}

Value Evaluator::evaluate_all(const Node& node) {
  Value value;
  for (const Node* item : node.items) {
    value = evaluate(*item);
    if (!is_true(value)) break;
  }
  return value;
}

Value Evaluator::evaluate_any(const Node& node) {
  Value value;
  for (const Node* item : node.items) {
    value = evaluate(*item);
    if (is_true(value)) break;
  }
  return value;
}

// a < b < c, with b evaluated once and c only where a < b.
Value Evaluator::evaluate_compare(const Node& node) {
  Value left = evaluate(*node.items[0]);
  for (size_t i = 0; i < node.names.size(); ++i) {
    Value right = evaluate(*node.items[i + 1]);
    line_ = node.line;
    if (!compare(node.names[i], left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Evaluator::evaluate_arithmetic(const Node& node) {
  Value left = evaluate(*node.items[0]);
  for (size_t i = 0; i < node.names.size(); ++i) {
    const Value right = evaluate(*node.items[i + 1]);
    line_ = node.line;
    left = arithmetic(node.names[i], left, right);
  }
  return left;
}

Value Evaluator::evaluate_concat(const Node& node) {
  Text text;
  for (const Node* item : node.items) append(text, text_of(evaluate(*item)));
  return string(std::move(text));
}

Value Evaluator::evaluate_choice(const Node& node) {
  if (is_true(evaluate(*node.items[1]))) return evaluate(*node.items[0]);
  if (node.items[2]) return evaluate(*node.items[2]);
  return undefined("the inline if-expression has no else section, and its condition is false");
}

}  // namespace quern::chat
