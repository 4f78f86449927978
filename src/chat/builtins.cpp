// The tables of filters, tests, methods and functions. See builtins.h.
#include "chat/builtins.h"

#include <algorithm>
#include <ctime>

#include "chat/evaluator.h"
#include "chat/python_text.h"
#include "io/json.h"
#include "os/process.h"

namespace quern::chat {
namespace {

constexpr int64_t max_range = 100'000;  // as jinja2's sandbox

const Builtin* find(std::span<const Builtin> table, std::string_view name) {
  for (const Builtin& b : table)
    if (b.name == name) return &b;
  return nullptr;
}

// ---- tests ----

template <Kind... kinds>
Value is_kind(Call& c) {
  return Value((... || c.self.is(kinds)));
}

Value is_defined(Call& c) {
  return Value(!c.self.is(Kind::undefined));
}
Value is_sequence(Call& c) {
  const bool indexed = c.self.is(Kind::string) || c.self.is_sequence() || c.self.is(Kind::dict) ||
                       c.self.is(Kind::range) || c.self.is(Kind::undefined);
  return Value(indexed);
}
Value is_iterable(Call& c) {
  const bool not_iterable =
      c.self.is(Kind::none) || c.self.is_number() || c.self.is(Kind::space) || c.self.is(Kind::callable);
  return Value(!not_iterable);
}
template <bool wanted>
Value is_bool(Call& c) {
  return Value(c.self.is(Kind::boolean) && is_true(c.self) == wanted);
}
template <int64_t remainder>
Value is_parity(Call& c) {
  return Value(equal(c.e.arithmetic("%", c.self, Value(int64_t{2})), Value(remainder), nullptr));
}
Value is_divisible(Call& c) {
  return Value(equal(c.e.arithmetic("%", c.self, c.args[0]), Value(int64_t{0}), nullptr));
}
// Of all letters, of which there has to be one.
template <bool upper>
Value is_case(Call& c) {
  const Text text = c.e.text_of(c.self);
  const std::string changed = upper ? chat::upper(text).bytes() : chat::lower(text).bytes();
  const std::string other = upper ? chat::lower(text).bytes() : chat::upper(text).bytes();
  return Value(text.bytes() == changed && changed != other);
}
Value is_escaped(Call& c) {
  return Value(is_markup(c.self));
}
Value is_same(Call& c) {
  const Value &a = c.self, &b = c.args[0];
  if (a.object() || b.object()) return Value(a.object() == b.object() && a.kind() == b.kind());
  return Value(a.kind() == b.kind() && equal(a, b, nullptr));
}
Value is_known_filter(Call& c) {
  return Value(c.e.hashable(c.self).is(Kind::string) && find_filter(c.self.text().bytes()));
}
Value is_known_test(Call& c) {
  return Value(c.e.hashable(c.self).is(Kind::string) && find_test(c.self.text().bytes()));
}

constexpr std::pair<std::string_view, std::string_view> comparison_names[] = {
    {"==", "=="}, {"!=", "!="}, {"<", "<"}, {"<=", "<="}, {">", ">"}, {">=", ">="}, {"in", "in"}};

template <size_t i>
Value compares(Call& c) {
  return Value(c.e.compare(comparison_names[i].second, c.self, c.args[0]));
}

constexpr Builtin tests[] = {
    {"boolean", is_kind<Kind::boolean>},
    {"callable", is_kind<Kind::callable, Kind::undefined>},
    {"defined", is_defined},
    {"divisibleby", is_divisible, "num", 1},
    {"escaped", is_escaped},
    {"even", is_parity<0>},
    {"false", is_bool<false>},
    {"filter", is_known_filter},
    {"float", is_kind<Kind::real>},
    {"integer", is_kind<Kind::integer>},
    {"iterable", is_iterable},
    {"lower", is_case<false>},
    {"mapping", is_kind<Kind::dict>},
    {"none", is_kind<Kind::none>},
    {"number", is_kind<Kind::boolean, Kind::integer, Kind::real>},
    {"odd", is_parity<1>},
    {"sameas", is_same, "other", 1},
    {"sequence", is_sequence},
    {"string", is_kind<Kind::string>},
    {"test", is_known_test},
    {"true", is_bool<true>},
    {"undefined", is_kind<Kind::undefined>},
    {"upper", is_case<true>},
    {"eq", compares<0>, "other", 1},
    {"equalto", compares<0>, "other", 1},
    {"==", compares<0>, "other", 1},
    {"ne", compares<1>, "other", 1},
    {"!=", compares<1>, "other", 1},
    {"lt", compares<2>, "other", 1},
    {"lessthan", compares<2>, "other", 1},
    {"<", compares<2>, "other", 1},
    {"le", compares<3>, "other", 1},
    {"<=", compares<3>, "other", 1},
    {"gt", compares<4>, "other", 1},
    {"greaterthan", compares<4>, "other", 1},
    {">", compares<4>, "other", 1},
    {"ge", compares<5>, "other", 1},
    {">=", compares<5>, "other", 1},
    {"in", compares<6>, "seq", 1},
};

// ---- functions ----

Value make_range(Call& c) {
  int64_t start = 0, stop = c.integer(0, 0);
  if (c.has(1)) start = std::exchange(stop, c.integer(1, 0));
  const int64_t step = c.integer(2, 1);
  if (step == 0) c.e.fail("range() arg 3 must not be zero");
  constexpr int64_t far = int64_t{1} << 60;
  if (std::max({std::abs(start), std::abs(stop), std::abs(step)}) > far) c.e.fail("a range is too large");
  const int64_t span = step > 0 ? stop - start : start - stop;
  const int64_t size = span <= 0 ? 0 : (span - 1) / std::abs(step) + 1;
  if (size > max_range) c.e.fail("a range is larger than " + std::to_string(max_range));
  return Value(Kind::range, std::make_shared<RangeObject>(&c.e.budget, start, step, static_cast<size_t>(size)));
}

std::vector<DictObject::Entry> dict_entries(Call& c) {
  std::vector<DictObject::Entry> entries;
  if (c.has(0) && c.args[0].is(Kind::dict)) {
    entries = c.args[0].dict().entries;
  } else if (c.has(0)) {
    for (const Value& pair : c.e.items_of(c.args[0])) {
      const std::vector<Value> both = c.e.items_of(pair);
      if (both.size() != 2) c.e.fail("dict() takes pairs");
      entries.emplace_back(c.e.hashable(both[0]), both[1]);
    }
  }
  for (const auto& [name, value] : c.named) entries.emplace_back(c.e.string(name), value);
  return entries;
}

Value make_dict(Call& c) {
  return c.e.dict(dict_entries(c));
}

Value make_space(Call& c) {
  Value space = c.e.space();
  const Value values = c.e.dict(dict_entries(c));
  for (const auto& [key, value] : values.dict().entries) {
    if (!key.is(Kind::string)) c.e.fail("names in a namespace should be strings");
    if (key.text().bytes().starts_with('_')) c.e.fail("names in a namespace can't begin with an underscore");
    space.as<SpaceObject>().values.emplace_back(key.text().bytes(), value);
  }
  return space;
}

Value raise(Call& c) {
  const Text text = c.e.text_of(c.args[0]);
  c.e.fail("the template refuses this input: " + printable(text.bytes(), 400));
}

// The local time, as C's strftime has it.
Value strftime_now(Call& c) {
  const std::string& format = c.text(0).bytes();
  if (format.size() > 256) c.e.fail("strftime_now() has a format above 256 bytes");
  if (format.find('\0') != std::string::npos) c.e.fail("strftime_now() has a format with a NUL byte");
  if (format.empty()) return c.e.string("");
  const std::tm local = os::local_time(std::time(nullptr));
  char out[4096];
  return c.e.string(std::string_view(out, std::strftime(out, sizeof out, format.c_str(), &local)),
                    c.text(0).any_from_user());
}

struct JoinerObject final : CallableObject {
  JoinerObject(Budget* budget, Value separator) : CallableObject(budget, 96), separator(std::move(separator)) {}
  Value call(Evaluator& e, Arguments&) override { return std::exchange(used, true) ? separator : e.string(""); }
  std::string describe() const override { return "<Joiner>"; }
  Value separator;
  bool used = false;
};

Value make_joiner(Call& c) {
  return Value(Kind::callable, std::make_shared<JoinerObject>(&c.e.budget, c.e.string(c.text_or(0, ", "))));
}

constexpr Builtin functions[] = {
    {"range", make_range, "start,stop,step", 1}, {"dict", make_dict, "mapping,...", 0},
    {"namespace", make_space, "mapping,...", 0}, {"raise_exception", raise, "message", 1},
    {"strftime_now", strftime_now, "format", 1}, {"joiner", make_joiner, "sep", 0},
};

// ---- methods of what is no string ----

template <ViewObject::Part part>
Value view(Call& c) {
  return Value(Kind::view, std::make_shared<ViewObject>(&c.e.budget, c.self, part));
}

Value dict_get(Call& c) {
  const Value* found = c.self.dict().find(c.e.hashable(c.args[0]));
  return found ? *found : c.has(1) ? c.args[1] : Value::none();
}

Value dict_copy(Call& c) {
  return c.self;
}

Value sequence_index(Call& c) {
  const auto& items = c.self.sequence().items;
  for (size_t i = 0; i < items.size(); ++i)
    if (equal(items[i], c.args[0], &c.e.budget)) return Value(static_cast<int64_t>(i));
  c.e.fail("the item is not in the list");
}

Value sequence_count(Call& c) {
  int64_t n = 0;
  for (const Value& item : c.self.sequence().items) n += equal(item, c.args[0], &c.e.budget);
  return Value(n);
}

constexpr Builtin dict_methods[] = {
    {"copy", dict_copy},
    {"get", dict_get, "key,default", 1},
    {"items", view<ViewObject::Part::items>},
    {"keys", view<ViewObject::Part::keys>},
    {"values", view<ViewObject::Part::values>},
};
constexpr Builtin sequence_methods[] = {
    {"copy", dict_copy},
    {"count", sequence_count, "value", 1},
    {"index", sequence_index, "value", 1},
};

constexpr std::string_view mutating_list[] = {"append", "clear", "pop",    "reverse",
                                              "insert", "sort",  "extend", "remove"};
constexpr std::string_view mutating_dict[] = {"clear", "pop", "popitem", "setdefault", "update"};

template <class Names>
bool among(const Names& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

const Builtin* find_filter(std::string_view name) {
  const Builtin* found = find(text_filters(), name);
  return found ? found : find(sequence_filters(), name);
}

const Builtin* find_test(std::string_view name) {
  return find(tests, name);
}

const Builtin* find_function(std::string_view name) {
  return find(functions, name);
}

const Builtin* find_method(Kind kind, std::string_view name) {
  if (kind == Kind::string) return find(string_methods(), name);
  if (kind == Kind::dict) return find(dict_methods, name);
  if (kind == Kind::loop) return find(loop_methods(), name);
  if (kind != Kind::list && kind != Kind::tuple) return nullptr;
  return kind == Kind::tuple && name == "copy" ? nullptr : find(sequence_methods, name);
}

bool is_mutating(Kind kind, std::string_view name) {
  return (kind == Kind::list && among(mutating_list, name)) || (kind == Kind::dict && among(mutating_dict, name));
}

}  // namespace quern::chat
