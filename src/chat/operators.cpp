// Operators between values, as Python has them. See evaluator.h.
#include <algorithm>
#include <cmath>

#include "chat/evaluator.h"

namespace quern::chat {
namespace {

using Operation = Value (*)(Evaluator& e, const Value& a, const Value& b);

[[noreturn]] void refuse(Evaluator& e, std::string_view op, const Value& a, const Value& b) {
  e.fail("unsupported operand types for " + std::string(op) + ": '" + type_name(a) + "' and '" + type_name(b) + "'");
}

[[noreturn]] void overflow(Evaluator& e) {
  e.fail("a whole number does not fit 64 bits");
}

bool whole(const Value& a, const Value& b) {
  return a.is_whole() && b.is_whole();
}
bool numbers(const Value& a, const Value& b) {
  return a.is_number() && b.is_number();
}
bool either_user(const Value& a, const Value& b) {
  return a.from_user() || b.from_user();
}

Text escape_unless_markup(Evaluator& e, const Value& value) {
  return is_markup(value) ? value.text() : escape_html(e, value.text());
}

Value add(Evaluator& e, const Value& a, const Value& b) {
  if (whole(a, b)) {
    int64_t out;
    if (__builtin_add_overflow(a.integer(), b.integer(), &out)) overflow(e);
    return Value(out, either_user(a, b));
  }
  if (numbers(a, b)) return Value(a.real() + b.real(), either_user(a, b));
  if (a.kind() != b.kind()) refuse(e, "+", a, b);
  if (a.is(Kind::string)) {
    const bool markup = is_markup(a) || is_markup(b);
    Text text = markup ? escape_unless_markup(e, a) : a.text();
    e.budget.work(text.size());
    e.append(text, markup ? escape_unless_markup(e, b) : b.text());
    return e.string(std::move(text), markup);
  }
  if (!a.is_sequence()) refuse(e, "+", a, b);
  std::vector<Value> items = a.sequence().items;
  items.insert(items.end(), b.sequence().items.begin(), b.sequence().items.end());
  return a.is(Kind::list) ? e.list(std::move(items)) : e.tuple(std::move(items));
}

Value subtract(Evaluator& e, const Value& a, const Value& b) {
  if (whole(a, b)) {
    int64_t out;
    if (__builtin_sub_overflow(a.integer(), b.integer(), &out)) overflow(e);
    return Value(out, either_user(a, b));
  }
  if (!numbers(a, b)) refuse(e, "-", a, b);
  return Value(a.real() - b.real(), either_user(a, b));
}

Value repeat(Evaluator& e, const Value& what, int64_t times) {
  const uint64_t n = static_cast<uint64_t>(std::max<int64_t>(times, 0));
  if (what.is(Kind::string)) {
    Text text;
    if (!what.text().empty())
      for (uint64_t i = 0; i < n; ++i) e.append(text, what.text());
    return e.string(std::move(text), is_markup(what));
  }
  const auto& items = what.sequence().items;
  if (!items.empty() && n > (size_t{1} << 22) / items.size()) e.fail("a list is repeated too often");
  std::vector<Value> out;
  if (!items.empty())
    for (uint64_t i = 0; i < n; ++i) out.insert(out.end(), items.begin(), items.end());
  return what.is(Kind::list) ? e.list(std::move(out)) : e.tuple(std::move(out));
}

Value multiply(Evaluator& e, const Value& a, const Value& b) {
  if (whole(a, b)) {
    int64_t out;
    if (__builtin_mul_overflow(a.integer(), b.integer(), &out)) overflow(e);
    return Value(out, either_user(a, b));
  }
  if (numbers(a, b)) return Value(a.real() * b.real(), either_user(a, b));
  const auto repeats = [](const Value& x) { return x.is(Kind::string) || x.is_sequence(); };
  if (repeats(a) && b.is_whole()) return repeat(e, a, b.integer());
  if (repeats(b) && a.is_whole()) return repeat(e, b, a.integer());
  refuse(e, "*", a, b);
}

void refuse_zero(Evaluator& e, const Value& b) {
  if (b.real() == 0) e.fail("division by zero");
}

Value divide(Evaluator& e, const Value& a, const Value& b) {
  if (!numbers(a, b)) refuse(e, "/", a, b);
  refuse_zero(e, b);
  return Value(a.real() / b.real(), either_user(a, b));
}

Value divide_floor(Evaluator& e, const Value& a, const Value& b) {
  if (!numbers(a, b)) refuse(e, "//", a, b);
  refuse_zero(e, b);
  if (!whole(a, b)) return Value(std::floor(a.real() / b.real()), either_user(a, b));
  const int64_t x = a.integer(), y = b.integer();
  if (x == INT64_MIN && y == -1) overflow(e);
  return Value(x / y - (x % y != 0 && (x < 0) != (y < 0)), either_user(a, b));
}

Value modulo(Evaluator& e, const Value& a, const Value& b) {
  if (a.is(Kind::string)) return e.string(format_percent(e, a.text(), b), is_markup(a));
  if (!numbers(a, b)) refuse(e, "%", a, b);
  refuse_zero(e, b);
  if (whole(a, b)) {
    if (b.integer() == -1) return Value(int64_t{0}, either_user(a, b));
    const int64_t r = a.integer() % b.integer();
    return Value(r != 0 && (r < 0) != (b.integer() < 0) ? r + b.integer() : r, either_user(a, b));
  }
  const double r = std::fmod(a.real(), b.real());
  const bool other_sign = r != 0 && (r < 0) != (b.real() < 0);
  return Value(other_sign ? r + b.real() : r == 0 ? std::copysign(0.0, b.real()) : r, either_user(a, b));
}

Value power(Evaluator& e, const Value& a, const Value& b) {
  if (!numbers(a, b)) refuse(e, "**", a, b);
  if (a.real() == 0 && b.real() < 0) e.fail("zero to a negative power");
  if (!whole(a, b) || b.integer() < 0) {
    const double out = std::pow(a.real(), b.real());
    if (std::isnan(out) && !std::isnan(a.real()) && !std::isnan(b.real())) e.fail("a power is no real number");
    if (std::isinf(out) && !std::isinf(a.real()) && !std::isinf(b.real())) e.fail("a power is too large");
    return Value(out, either_user(a, b));
  }
  int64_t base = a.integer(), out = 1;
  if (base == 0 || base == 1) return Value(b.integer() == 0 ? 1 : base, either_user(a, b));
  if (base == -1) return Value(int64_t{b.integer() % 2 == 0 ? 1 : -1}, either_user(a, b));
  for (int64_t i = 0; i < b.integer(); ++i)
    if (__builtin_mul_overflow(out, base, &out)) overflow(e);
  return Value(out, either_user(a, b));
}

constexpr struct {
  std::string_view op;
  Operation run;
} operations[] = {{"+", add},    {"-", subtract},      {"*", multiply}, {"/", divide},
                  {"%", modulo}, {"//", divide_floor}, {"**", power}};

}  // namespace

Value Evaluator::arithmetic(std::string_view op, const Value& a, const Value& b) {
  refuse_undefined(a);
  if (!(op == "%" && a.is(Kind::string))) refuse_undefined(b);
  for (const auto& [name, run] : operations)
    if (name == op) return run(*this, a, b);
  fail("there is no operator " + std::string(op));
}

bool Evaluator::contains(const Value& container, const Value& item) {
  if (container.is(Kind::string)) {
    if (!item.is(Kind::string)) fail("'in <string>' requires string as left operand, not " + type_name(item));
    budget.work(container.text().size());
    return container.text().bytes().find(item.text().bytes()) != std::string::npos;
  }
  if (container.is(Kind::dict)) {
    budget.step(container.dict().entries.size() / 64 + 1);
    return container.dict().find(hashable(item)) != nullptr;
  }
  const Next next = iterate(container);
  for (Value each; next(each);) {
    budget.step();
    if (equal(each, item, &budget)) return true;
  }
  return false;
}

bool Evaluator::compare(std::string_view op, const Value& a, const Value& b) {
  for (const Value* v : {&a, &b})
    if (v->is(Kind::string)) budget.work(v->text().size());
  if (op == "==" || op == "!=") return equal(a, b, &budget) == (op == "==");
  if (op == "in" || op == "not in") return contains(b, a) == (op == "in");
  refuse_undefined(a);
  refuse_undefined(b);
  const std::optional<int> found = order(a, b, &budget);
  if (!found) {
    if (a.is_number() && b.is_number()) return false;  // not a number
    fail("'" + std::string(op) + "' not supported between instances of '" + type_name(a) + "' and '" + type_name(b) +
         "'");
  }
  const int sign = op[0] == '<' ? -*found : *found;
  return op.size() == 2 ? sign >= 0 : sign > 0;
}

}  // namespace quern::chat
