// Truth, equality, order and sizes of values. See value.h.
#include "chat/value.h"

#include <algorithm>
#include <cmath>

namespace quern::chat {
namespace {

uint32_t depth_over(const std::vector<Value>& items) {
  uint32_t depth = 0;
  for (const Value& item : items) depth = std::max(depth, depth_of(item));
  return depth + 1;
}

uint32_t depth_over(const std::vector<DictObject::Entry>& entries) {
  uint32_t depth = 0;
  for (const auto& [key, value] : entries) depth = std::max({depth, depth_of(key), depth_of(value)});
  return depth + 1;
}

// Numbers in Python's order, exact between integers.
std::optional<int> order_numbers(const Value& a, const Value& b) {
  if (a.is_whole() && b.is_whole()) return (a.integer() > b.integer()) - (a.integer() < b.integer());
  const long double x = a.is_whole() ? static_cast<long double>(a.integer()) : static_cast<long double>(a.real());
  const long double y = b.is_whole() ? static_cast<long double>(b.integer()) : static_cast<long double>(b.real());
  if (std::isnan(x) || std::isnan(y)) return std::nullopt;
  return (x > y) - (x < y);
}

bool equal_dicts(const DictObject& a, const DictObject& b, Budget* budget) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    const Value* other = b.find(key);
    if (!other || !equal(value, *other, budget)) return false;
  }
  return true;
}

bool equal_sequences(const SequenceObject& a, const SequenceObject& b, Budget* budget) {
  if (a.items.size() != b.items.size()) return false;
  for (size_t i = 0; i < a.items.size(); ++i)
    if (!equal(a.items[i], b.items[i], budget)) return false;
  return true;
}

}  // namespace

const Text& Value::text() const {
  return as<StringObject>().text;
}
const SequenceObject& Value::sequence() const {
  return as<SequenceObject>();
}
const DictObject& Value::dict() const {
  return as<DictObject>();
}

SequenceObject::SequenceObject(Budget* budget, std::vector<Value> items_)
    : Object(budget, items_.size() * sizeof(Value) + 96, depth_over(items_)), items(std::move(items_)) {
  for (const Value& item : items) hashable = hashable && is_hashable(item);
}

DictObject::DictObject(Budget* budget, std::vector<Entry> all)
    : Object(budget, all.size() * (sizeof(Entry) + 64) + 160, depth_over(all)) {
  entries.reserve(all.size());
  for (Entry& entry : all) {
    if (const Value* old = find(entry.first)) {
      const_cast<Value&>(*old) = std::move(entry.second);
      continue;
    }
    if (entry.first.is(Kind::string))
      strings_.emplace(entry.first.text().bytes(), static_cast<uint32_t>(entries.size()));
    entries.push_back(std::move(entry));
  }
}

const Value* DictObject::find(std::string_view key) const {
  const auto found = strings_.find(key);
  return found == strings_.end() ? nullptr : &entries[found->second].second;
}

const Value* DictObject::find(const Value& key) const {
  if (key.is(Kind::string)) return find(key.text().bytes());
  if (strings_.size() == entries.size()) return nullptr;
  for (const auto& [k, value] : entries)
    if (!k.is(Kind::string) && equal(k, key, charge.budget())) return &value;
  return nullptr;
}

Value* SpaceObject::find(std::string_view name) {
  for (auto& [key, value] : values)
    if (key == name) return &value;
  return nullptr;
}

bool is_true(const Value& value) {
  if (value.is(Kind::undefined) || value.is(Kind::none) || value.is(Kind::absent)) return false;
  if (value.is(Kind::real)) return value.real() != 0;
  if (value.is_whole()) return value.integer() != 0;
  const std::optional<size_t> size = size_of(value);
  return !size || *size > 0;
}

bool equal(const Value& a, const Value& b, Budget* budget) {
  if (budget) budget->step();
  if (a.is_number() && b.is_number()) return order_numbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::undefined:
    case Kind::none:
    case Kind::absent:
      return true;
    case Kind::string:
      if (budget && a.text().size() == b.text().size()) budget->work(a.text().size());
      return a.text().bytes() == b.text().bytes();
    case Kind::list:
    case Kind::tuple:
      return equal_sequences(a.sequence(), b.sequence(), budget);
    case Kind::dict:
      return equal_dicts(a.dict(), b.dict(), budget);
    case Kind::range: {
      const auto& x = a.as<RangeObject>();
      const auto& y = b.as<RangeObject>();
      return x.size == y.size && (x.size == 0 || (x.start == y.start && (x.size == 1 || x.step == y.step)));
    }
    default:
      return a.object() == b.object();
  }
}

std::optional<int> order(const Value& a, const Value& b, Budget* budget) {
  if (budget) budget->step();
  if (a.is_number() && b.is_number()) return order_numbers(a, b);
  if (a.kind() != b.kind()) return std::nullopt;
  if (a.is(Kind::string)) {  // UTF-8 bytes are in the order of their characters
    const int c = a.text().bytes().compare(b.text().bytes());
    return (c > 0) - (c < 0);
  }
  if (!a.is_sequence()) return std::nullopt;
  const auto& x = a.sequence().items;
  const auto& y = b.sequence().items;
  for (size_t i = 0; i < x.size() && i < y.size(); ++i)
    if (!equal(x[i], y[i], budget)) return order(x[i], y[i], budget);
  return (x.size() > y.size()) - (x.size() < y.size());
}

bool is_hashable(const Value& value) {
  if (value.is(Kind::tuple)) return value.sequence().hashable;
  return !value.is(Kind::list) && !value.is(Kind::dict) && !value.is(Kind::view);
}

uint32_t checked_depth(uint32_t depth) {
  if (depth > max_value_depth)
    throw Error(Status::bad_argument,
                "lists and objects are nested deeper than " + std::to_string(max_value_depth) + " levels");
  return depth;
}

uint32_t depth_of(const Value& value) {
  return value.object() ? value.object()->depth : 0;
}

std::string type_name(const Value& value) {
  constexpr const char* names[] = {"nothing",   "Undefined", "NoneType",    "bool",    "int",   "float",
                                   "str",       "list",      "tuple",       "dict",    "range", "dict view",
                                   "generator", "Namespace", "LoopContext", "function"};
  return names[static_cast<size_t>(value.kind())];
}

std::optional<size_t> size_of(const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
      return 0;
    case Kind::string:
      return count_chars(value.text().bytes());
    case Kind::list:
    case Kind::tuple:
      return value.sequence().items.size();
    case Kind::dict:
      return value.dict().entries.size();
    case Kind::range:
      return value.as<RangeObject>().size;
    case Kind::view:
      return value.as<ViewObject>().dict.dict().entries.size();
    default:
      return std::nullopt;
  }
}

}  // namespace quern::chat
