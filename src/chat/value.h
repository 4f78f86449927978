// The values of the template language: Python's, as far as templates see them. All but namespaces, iterators and loops
// are immutable, as jinja2's ImmutableSandboxedEnvironment has them.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "chat/budget.h"
#include "chat/text.h"

namespace quern::chat {

enum class Kind : uint8_t {
  absent,  // an argument that was not given; never a value of the language
  undefined,
  none,
  boolean,
  integer,
  real,
  string,
  list,
  tuple,
  dict,
  range,
  view,      // dict.keys(), .values(), .items()
  iterator,  // what can be gone through once: generators
  space,     // namespace()
  loop,      // the variable of a for
  callable,  // a macro, a function, a bound method
};

// Values nest at most this deep, so that what walks or frees them may recurse. Throws Error bad_argument.
constexpr uint32_t max_value_depth = 200;
uint32_t checked_depth(uint32_t depth);

struct Object {
  Object(Budget* budget, size_t bytes, uint32_t depth = 0) : charge(budget, bytes), depth(checked_depth(depth)) {}
  virtual ~Object() = default;
  virtual void clear() {}  // lets go of what may lead back to it
  Charge charge;
  uint32_t depth;  // objects on the longest way down
};

struct StringObject;
struct SequenceObject;
struct DictObject;
struct RangeObject;
struct ViewObject;
struct IteratorObject;
struct SpaceObject;
struct UndefinedObject;

class Value {
 public:
  Value() : kind_(Kind::undefined) {}
  explicit Value(bool v) : kind_(Kind::boolean) { plain_.integer = v; }
  explicit Value(int64_t v, bool from_user = false) : kind_(Kind::integer), from_user_(from_user) {
    plain_.integer = v;
  }
  explicit Value(double v, bool from_user = false) : kind_(Kind::real), from_user_(from_user) { plain_.real = v; }
  Value(Kind kind, std::shared_ptr<Object> object) : kind_(kind), object_(std::move(object)) {}
  static Value absent() { return Value(Kind::absent, nullptr); }
  static Value none() { return Value(Kind::none, nullptr); }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_number() const { return kind_ == Kind::boolean || kind_ == Kind::integer || kind_ == Kind::real; }
  bool is_whole() const { return kind_ == Kind::boolean || kind_ == Kind::integer; }  // as Python's int
  bool is_sequence() const { return kind_ == Kind::list || kind_ == Kind::tuple; }
  // Whether a number came from the input.
  bool from_user() const { return from_user_; }
  void set_from_user(bool v) { from_user_ = v; }

  int64_t integer() const { return plain_.integer; }  // of boolean and integer
  double real() const { return kind_ == Kind::real ? plain_.real : static_cast<double>(plain_.integer); }
  const Text& text() const;
  const SequenceObject& sequence() const;
  const DictObject& dict() const;
  template <class T>
  T& as() const {
    return static_cast<T&>(*object_);
  }
  const std::shared_ptr<Object>& object() const { return object_; }

 private:
  Kind kind_;
  bool from_user_ = false;
  union {
    int64_t integer;
    double real;
  } plain_ = {0};
  std::shared_ptr<Object> object_;
};

struct UndefinedObject : Object {
  UndefinedObject(Budget* budget, std::string why) : Object(budget, why.size() + 64), why(std::move(why)) {}
  std::string why;  // "'x' is undefined"
};

struct StringObject : Object {
  StringObject(Budget* budget, Text text, bool markup = false)
      : Object(budget, text.memory() + 96), text(std::move(text)), markup(markup) {}
  Text text;
  bool markup;  // went through the filter safe: adding to it escapes HTML, as markupsafe does
};

struct SequenceObject : Object {
  SequenceObject(Budget* budget, std::vector<Value> items);
  std::vector<Value> items;
  bool hashable = true;    // all items are, so that a tuple is too
  bool from_user = false;  // from the input: its brackets and commas count as the user's when it is printed
  bool is_group = false;   // of groupby: its items are also .grouper and .list
};

struct DictObject : Object {
  using Entry = std::pair<Value, Value>;
  // Of equal keys the last value counts, at the first one's place. Keys must be hashable.
  DictObject(Budget* budget, std::vector<Entry> entries);
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  std::vector<Entry> entries;
  bool from_user = false;

 private:
  std::unordered_map<std::string_view, uint32_t> strings_;  // where keys that are strings stand
};

struct RangeObject : Object {
  RangeObject(Budget* budget, int64_t start, int64_t step, size_t size)
      : Object(budget, 64), start(start), step(step), size(size) {}
  int64_t at(size_t i) const { return start + static_cast<int64_t>(i) * step; }
  int64_t start, step;
  size_t size;
};

struct ViewObject : Object {
  enum class Part : uint8_t { keys, values, items };
  ViewObject(Budget* budget, Value dict_, Part part)
      : Object(budget, 64, dict_.object()->depth + 1), dict(std::move(dict_)), part(part) {}
  Value dict;
  Part part;
};

// Gives values until there are no more.
struct IteratorObject : Object {
  using Next = std::function<bool(Value& out)>;
  // depth: of what it goes through.
  IteratorObject(Budget* budget, Next next, uint32_t depth) : Object(budget, 128, depth + 1), next(std::move(next)) {}
  Next next;
};

struct SpaceObject : Object {
  explicit SpaceObject(Budget* budget) : Object(budget, 128) {}
  void clear() override { values.clear(); }
  std::vector<std::pair<std::string, Value>> values;
  Value* find(std::string_view name);
};

// bool(value), as Python has it.
bool is_true(const Value& value);
// value == value. Never an error but the budget's, which may be null where no lists are compared.
bool equal(const Value& a, const Value& b, Budget* budget);
// -1, 0, 1, or nothing where Python has no order. NaN is nothing too.
std::optional<int> order(const Value& a, const Value& b, Budget* budget);
// Whether it can be a key, or an item of a set.
bool is_hashable(const Value& value);
uint32_t depth_of(const Value& value);
// Python's name of its type: "str", "list", "dict".
std::string type_name(const Value& value);
// The number of its items, for what has one without going through it.
std::optional<size_t> size_of(const Value& value);

}  // namespace quern::chat
