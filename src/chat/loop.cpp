// Going through a loop's items, and what `loop` says about it. See loop.h.
#include "chat/loop.h"

#include <algorithm>

namespace quern::chat {
namespace {

Value integer(int64_t value) {
  return Value(value);
}

using Attribute = Value (*)(Evaluator& e, LoopObject& loop);
constexpr struct {
  std::string_view name;
  Attribute get;
} attributes[] = {
    {"index", [](Evaluator&, LoopObject& l) { return integer(l.index0 + 1); }},
    {"index0", [](Evaluator&, LoopObject& l) { return integer(l.index0); }},
    {"revindex", [](Evaluator& e, LoopObject& l) { return integer(static_cast<int64_t>(l.count(e)) - l.index0); }},
    {"revindex0", [](Evaluator& e, LoopObject& l) { return integer(static_cast<int64_t>(l.count(e)) - l.index0 - 1); }},
    {"first", [](Evaluator&, LoopObject& l) { return Value(l.index0 == 0); }},
    {"last", [](Evaluator&, LoopObject& l) { return Value(l.peek() == nullptr); }},
    {"length", [](Evaluator& e, LoopObject& l) { return integer(static_cast<int64_t>(l.count(e))); }},
    {"depth", [](Evaluator&, LoopObject&) { return integer(1); }},
    {"depth0", [](Evaluator&, LoopObject&) { return integer(0); }},
    {"previtem",
     [](Evaluator& e, LoopObject& l) { return l.index0 == 0 ? e.undefined("there is no previous item") : l.before; }},
    {"nextitem",
     [](Evaluator& e, LoopObject& l) {
       const Value* next = l.peek();
       return next ? *next : e.undefined("there is no next item");
     }},
};

Value cycle(Call& c) {
  if (c.more.empty()) c.e.fail("no items for cycling given");
  return c.more[static_cast<size_t>(c.self.as<LoopObject>().index0) % c.more.size()];
}

// Whether its arguments differ from those of the last call.
Value changed(Call& c) {
  auto& last = c.self.as<LoopObject>().last_changed;
  const bool same = last && std::equal(last->begin(), last->end(), c.more.begin(), c.more.end(),
                                       [&](auto& a, auto& b) { return equal(a, b, &c.e.budget); });
  last = std::move(c.more);
  return Value(!same);
}

constexpr Builtin methods[] = {{"cycle", cycle, "...", 0}, {"changed", changed, "...", 0}};

}  // namespace

std::span<const Builtin> loop_methods() {
  return methods;
}

bool LoopObject::advance() {
  Value item;
  if (!ahead.empty()) {
    item = std::move(ahead.back());
    ahead.pop_back();
  } else if (!next(item)) {
    return false;
  }
  ++index0;
  before = std::move(current);
  current = std::move(item);
  return true;
}

const Value* LoopObject::peek() {
  if (ahead.empty()) {
    Value item;
    if (!next(item)) return nullptr;
    ahead.push_back(std::move(item));
  }
  return &ahead.back();
}

LoopObject::Ending::~Ending() {
  loop.next = [](Value&) { return false; };
  loop.ahead.clear();
  loop.last_changed.reset();
  loop.before = loop.current = Value();
}

size_t LoopObject::count(Evaluator& e) {
  if (!length) {
    std::vector<Value> rest;
    for (Value item; next(item);) {
      e.budget.step();
      rest.push_back(item);
    }
    length = static_cast<size_t>(index0) + 1 + ahead.size() + rest.size();
    std::reverse(rest.begin(), rest.end());
    rest.insert(rest.end(), ahead.begin(), ahead.end());
    ahead = std::move(rest);
  }
  return *length;
}

Value Evaluator::loop_attribute(const Value& loop, std::string_view name) {
  for (const auto& [key, get] : attributes)
    if (key == name) return get(*this, loop.as<LoopObject>());
  return undefined("'loop' has no attribute '" + std::string(name) + "'");
}

}  // namespace quern::chat
