// Making values, looking into them and calling them. See evaluator.h.
#include <algorithm>

#include "chat/evaluator.h"
#include "chat/python_text.h"
#include "io/json.h"
#include "tokenizers/utf8.h"

namespace quern::chat {
namespace {

constexpr size_t max_arguments = 100'000;

struct BoundObject final : CallableObject {
  BoundObject(Budget* budget, Value self_, const Builtin& builtin)
      : CallableObject(budget, 96, depth_of(self_) + 1), self(std::move(self_)), builtin(builtin) {}
  Value call(Evaluator& e, Arguments& arguments) override { return e.run(builtin, self, arguments); }
  std::string describe() const override { return "<built-in method " + std::string(builtin.name) + ">"; }
  Value self;
  const Builtin& builtin;
};

std::string named(const Value& value, std::string_view name) {
  return "'" + type_name(value) + " object' has no attribute '" + printable(name) + "'";
}

// Python's bounds of a slice over `size` items, and how many items it takes.
struct SliceBounds {
  int64_t start, step;
  size_t size;
};

SliceBounds slice_bounds(int64_t size, const Value& start, const Value& stop, int64_t step) {
  const auto clamp = [&](const Value& bound, int64_t absent) {
    if (bound.is(Kind::none)) return absent;
    int64_t v = bound.integer();
    if (v < 0) v = std::max<int64_t>(v, -size - 1) + size;
    return std::clamp<int64_t>(v, step < 0 ? -1 : 0, step < 0 ? size - 1 : size);
  };
  const int64_t first = clamp(start, step < 0 ? size - 1 : 0), last = clamp(stop, step < 0 ? -1 : size);
  const int64_t span = step > 0 ? last - first : first - last;
  const uint64_t pace = step > 0 ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
  return {first, step, span <= 0 ? 0 : static_cast<size_t>((static_cast<uint64_t>(span) - 1) / pace + 1)};
}

}  // namespace

void Evaluator::check_growth(size_t size, size_t more) {
  budget.work(more);
  if (more > limits_.output_bytes - std::min(size, limits_.output_bytes))
    fail("a text or the output is above " + std::to_string(limits_.output_bytes) + " bytes");
}
void Evaluator::append(Text& text, const Text& more) {
  check_growth(text.size(), more.size());
  text.append(more);
}
void Evaluator::append(Text& text, const Text& more, size_t begin, size_t end) {
  check_growth(text.size(), end - begin);
  text.append(more, begin, end);
}
void Evaluator::append(Text& text, std::string_view more, bool from_user) {
  check_growth(text.size(), more.size());
  text.append(more, from_user);
}

Value Evaluator::string(Text text, bool markup) {
  check_growth(0, text.size());
  return Value(Kind::string, std::make_shared<StringObject>(&budget, std::move(text), markup));
}
Value Evaluator::list(std::vector<Value> items) {
  budget.step(items.size() / 16 + 1);
  return Value(Kind::list, std::make_shared<SequenceObject>(&budget, std::move(items)));
}
Value Evaluator::tuple(std::vector<Value> items) {
  budget.step(items.size() / 16 + 1);
  return Value(Kind::tuple, std::make_shared<SequenceObject>(&budget, std::move(items)));
}
Value Evaluator::dict(std::vector<DictObject::Entry> entries) {
  size_t odd_keys = 0;  // these are looked for one by one
  for (const auto& [key, value] : entries) odd_keys += !key.is(Kind::string);
  budget.step(entries.size() / 4 + odd_keys * odd_keys / 4 + 1);
  return Value(Kind::dict, std::make_shared<DictObject>(&budget, std::move(entries)));
}
Value Evaluator::iterator(Next next, uint32_t depth) {
  return Value(Kind::iterator, std::make_shared<IteratorObject>(&budget, std::move(next), depth));
}
Value Evaluator::undefined(std::string why) {
  return Value(Kind::undefined, std::make_shared<UndefinedObject>(&budget, std::move(why)));
}
Value Evaluator::bind(const Value& self, const Builtin& builtin) {
  return Value(Kind::callable, std::make_shared<BoundObject>(&budget, self, builtin));
}

void Evaluator::refuse_undefined(const Value& value) const {
  if (value.is(Kind::undefined)) fail(value.object() ? value.as<UndefinedObject>().why : "a value is undefined");
}

const Value& Evaluator::hashable(const Value& value) const {
  if (!is_hashable(value)) fail("unhashable type: '" + type_name(value) + "'");
  return value;
}

Value Evaluator::attribute(const Value& value, std::string_view name) {
  refuse_undefined(value);
  if (is_mutating(value.kind(), name))
    return undefined("access to attribute '" + std::string(name) + "' of '" + type_name(value) + "' object is unsafe");
  if (const Builtin* method = find_method(value.kind(), name)) return bind(value, *method);
  if (value.is(Kind::loop)) return loop_attribute(value, name);
  if (value.is(Kind::space)) {
    const Value* found = value.as<SpaceObject>().find(name);
    return found ? *found : undefined(named(value, name));
  }
  if (value.is(Kind::tuple) && value.sequence().is_group && (name == "grouper" || name == "list"))
    return value.sequence().items[name == "list"];
  const Value* found = value.is(Kind::dict) ? value.dict().find(name) : nullptr;
  return found ? *found : undefined(named(value, name));
}

Value Evaluator::item(const Value& value, const Value& key) {
  refuse_undefined(value);
  if (value.is(Kind::dict)) {
    budget.step(key.is(Kind::string) ? 1 : value.dict().entries.size() / 16 + 1);
    if (const Value* found = is_hashable(key) ? value.dict().find(key) : nullptr) return *found;
  }
  if (key.is_whole() && !value.is(Kind::dict) && !value.is(Kind::view)) {
    if (const std::optional<size_t> size = size_of(value)) {
      const int64_t n = static_cast<int64_t>(*size), at = key.integer() < 0 ? key.integer() + n : key.integer();
      if (value.is(Kind::string)) budget.work(value.text().size());
      if (at < 0 || at >= n)
        return undefined(type_name(value) + " object has no element " + std::to_string(key.integer()));
      const size_t i = static_cast<size_t>(at);
      if (value.is_sequence()) return value.sequence().items[i];
      if (value.is(Kind::range)) return Value(value.as<RangeObject>().at(i));
      const size_t begin = byte_of_char(value.text().bytes(), i);
      return string(value.text().slice(begin, begin + utf8_size(value.text().bytes()[begin])));
    }
  }
  if (key.is(Kind::string)) return attribute(value, key.text().bytes());
  return undefined(type_name(value) + " object has no such element");
}

Value Evaluator::slice(const Value& value, const Value& start, const Value& stop, const Value& step) {
  refuse_undefined(value);
  if (!value.is(Kind::string) && !value.is_sequence() && !value.is(Kind::range))
    fail("'" + type_name(value) + "' object can't be sliced");
  for (const Value* bound : {&start, &stop, &step})
    if (!bound->is(Kind::none) && !bound->is_whole()) fail("slice indices must be integers or None");
  if (step.is_whole() && step.integer() == 0) fail("slice step cannot be zero");
  const SliceBounds b =
      slice_bounds(static_cast<int64_t>(*size_of(value)), start, stop,
                   step.is(Kind::none) ? 1 : std::clamp<int64_t>(step.integer(), -INT64_MAX, INT64_MAX));
  if (value.is(Kind::range)) {
    const auto& r = value.as<RangeObject>();
    return Value(Kind::range,
                 std::make_shared<RangeObject>(&budget, r.start + b.start * r.step, r.step * b.step, b.size));
  }
  if (value.is_sequence()) {
    std::vector<Value> items;
    for (size_t i = 0; i < b.size; ++i)
      items.push_back(value.sequence().items[static_cast<size_t>(b.start + static_cast<int64_t>(i) * b.step)]);
    return value.is(Kind::list) ? list(std::move(items)) : tuple(std::move(items));
  }
  const Text& text = value.text();
  budget.work(text.size());
  if (b.step == 1) {
    const size_t begin = byte_of_char(text.bytes(), static_cast<size_t>(b.start));
    const size_t size = byte_of_char(std::string_view(text.bytes()).substr(begin), b.size);
    return string(text.slice(begin, begin + size));
  }
  std::vector<uint32_t> places;  // of the characters
  for (size_t i = 0; i < text.size(); i += utf8_size(text.bytes()[i])) places.push_back(static_cast<uint32_t>(i));
  Text out;
  for (size_t i = 0; i < b.size; ++i) {
    const size_t at = places[static_cast<size_t>(b.start + static_cast<int64_t>(i) * b.step)];
    out.append(text, at, at + utf8_size(text.bytes()[at]));
  }
  return string(std::move(out));
}

Next Evaluator::iterate(const Value& value) {
  if (value.is(Kind::undefined)) return [](Value&) { return false; };
  if (value.is(Kind::iterator)) return [value](Value& out) { return value.as<IteratorObject>().next(out); };
  if (value.is_sequence()) {
    return [value, i = size_t{0}](Value& out) mutable {
      const auto& items = value.sequence().items;
      return i < items.size() && (out = items[i++], true);
    };
  }
  if (value.is(Kind::dict) || value.is(Kind::view)) {
    const bool is_view = value.is(Kind::view);
    const auto part = is_view ? value.as<ViewObject>().part : ViewObject::Part::keys;
    return [this, part, d = is_view ? value.as<ViewObject>().dict : value, i = size_t{0}](Value& out) mutable {
      if (i >= d.dict().entries.size()) return false;
      const auto& [key, item] = d.dict().entries[i++];
      out = part == ViewObject::Part::keys ? key : part == ViewObject::Part::values ? item : tuple({key, item});
      return true;
    };
  }
  if (value.is(Kind::range)) {
    return [value, i = size_t{0}](Value& out) mutable {
      const auto& range = value.as<RangeObject>();
      return i < range.size && (out = Value(range.at(i++)), true);
    };
  }
  if (value.is(Kind::string)) {
    return [this, value, at = size_t{0}](Value& out) mutable {
      const Text& text = value.text();
      if (at >= text.size()) return false;
      const size_t end = at + utf8_size(text.bytes()[at]);
      out = string(text.slice(at, end));
      at = end;
      return true;
    };
  }
  fail("'" + type_name(value) + "' object is not iterable");
}

std::vector<Value> Evaluator::items_of(const Value& value) {
  std::vector<Value> items;
  const Next next = iterate(value);
  for (Value item; next(item);) {
    budget.step();
    if (items.size() % 4096 == 4095) Charge(&budget, 2 * items.size() * sizeof(Value));  // room for it must be left
    items.push_back(std::move(item));
  }
  return items;
}

Value Evaluator::call(const Value& callee, Arguments& arguments) {
  refuse_undefined(callee);
  if (!callee.is(Kind::callable)) fail("'" + type_name(callee) + "' object is not callable");
  const Nesting nesting(*this);
  return callee.as<CallableObject>().call(*this, arguments);
}

// Gives each parameter its argument.
Value Evaluator::run(const Builtin& builtin, const Value& self, Arguments& arguments) {
  budget.step();
  const auto complain = [&](const std::string& what) { fail(std::string(builtin.name) + "() " + what); };
  if (arguments.positional.size() > max_arguments) complain("has too many arguments");
  Call call{*this, self, {}};
  std::string_view rest = builtin.parameters;
  bool open = false;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view name = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    open = name == "...";
    if (open) break;
    Value value = Value::absent();
    if (call.args.size() < arguments.positional.size()) {
      value = arguments.positional[call.args.size()];
    } else {
      const auto found =
          std::find_if(arguments.named.begin(), arguments.named.end(), [&](const auto& n) { return n.first == name; });
      if (found != arguments.named.end()) {
        value = found->second;
        arguments.named.erase(found);
      }
    }
    if (value.is(Kind::absent) && call.args.size() < builtin.required)
      complain("lacks the argument '" + std::string(name) + "'");
    call.args.push_back(std::move(value));
  }
  const auto& all = arguments.positional;
  if (all.size() > call.args.size())
    call.more.assign(all.begin() + static_cast<std::ptrdiff_t>(call.args.size()), all.end());
  call.named = std::move(arguments.named);
  if (!open && !call.more.empty()) complain("takes at most " + std::to_string(call.args.size()) + " arguments");
  if (!open && !call.named.empty()) complain("has no parameter '" + printable(call.named[0].first) + "'");
  return builtin.run(call);
}

int64_t Call::integer(size_t i, int64_t absent) const {
  if (!has(i) || args[i].is(Kind::none)) return absent;
  e.refuse_undefined(args[i]);
  if (!args[i].is_whole()) e.fail("a whole number is expected, not a value of type " + type_name(args[i]));
  return args[i].integer();
}

const Text& Call::text(size_t i) const {
  e.refuse_undefined(args[i]);
  if (!args[i].is(Kind::string)) e.fail("a string is expected, not a value of type " + type_name(args[i]));
  return args[i].text();
}

Text Call::text_or(size_t i, std::string_view absent) const {
  return has(i) && !args[i].is(Kind::none) ? text(i) : Text(absent, false);
}

}  // namespace quern::chat
