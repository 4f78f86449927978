// format % values and format.format(…), of the conversions that texts and numbers need. See evaluator.h.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "chat/evaluator.h"
#include "chat/python_text.h"
#include "chat/text_ops.h"
#include "tokenizers/utf8.h"

namespace quern::chat {
namespace {

constexpr int64_t max_width = 1'000'000, max_precision = 300;

// How one value is written.
struct Spec {
  Text fill{" ", false};
  char align = '\0', sign = '\0', type = '\0';  // < > ^ =; + or a space; a letter, or none
  bool alternate = false, zero = false, commas = false;
  int64_t width = 0, precision = -1;
};

std::string group_digits(const std::string& digits) {
  const size_t end = std::min(digits.find_first_of(".e"), digits.size());
  std::string out = digits.substr(end);
  for (size_t i = 0; i < end; ++i) {
    if (i > 0 && i % 3 == 0) out.insert(0, ",");
    out.insert(0, 1, digits[end - 1 - i]);
  }
  return out;
}

std::string whole_digits(uint64_t value, const Spec& s) {
  const int base = s.type == 'x' || s.type == 'X' ? 16 : s.type == 'o' ? 8 : s.type == 'b' ? 2 : 10;
  char buffer[72];
  std::string out(buffer, std::to_chars(buffer, buffer + sizeof buffer, value, base).ptr);
  if (base != 10 && s.alternate) out = std::string("0") + static_cast<char>(s.type | 32) + out;
  if (s.type == 'X')
    for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return out;
}

std::string real_digits(double value, const Spec& s) {
  const std::string format = std::string("%") + (s.alternate ? "#" : "") + ".*" + s.type;
  char buffer[720];
  const int precision = static_cast<int>(s.precision < 0 ? 6 : s.precision);
  const int size = std::snprintf(buffer, sizeof buffer, format.c_str(), precision, value);
  return std::string(buffer, static_cast<size_t>(std::clamp(size, 0, static_cast<int>(sizeof buffer) - 1)));
}

// Digits with %g's precision that still read as a real number.
std::string general_digits(double value, Spec s) {
  s.type = 'g';
  s.precision = std::max<int64_t>(s.precision, 1);
  std::string out = real_digits(value, s);
  if (out.find_first_of(".einf") == std::string::npos) out += ".0";
  return out;
}

// A sign and digits, filled up to the width.
Text write_digits(Evaluator& e, std::string digits, const Value& v, Spec s) {
  const bool negative = digits.starts_with('-');
  if (negative) digits.erase(0, 1);
  if (s.commas) digits = group_digits(digits);
  const std::string sign = negative ? "-" : s.sign ? std::string(1, s.sign) : "";
  const bool user = v.from_user();
  if (!s.align && s.zero) {
    s.fill = Text("0", false);
    s.align = '=';
  }
  if (s.align != '=') {
    const Align align = s.align == '<' ? Align::left : s.align == '^' ? Align::center : Align::right;
    return pad(e, Text(sign + digits, user), s.width, s.fill, align);
  }
  Text out(sign, user);
  e.append(out, pad(e, Text(digits, user), s.width - static_cast<int64_t>(sign.size()), s.fill, Align::right));
  return out;
}

// A number in one of the formats that Python shares with C.
Text write_number(Evaluator& e, const Value& v, Spec s) {
  if (!v.is_number()) e.fail(std::string("a number is expected for the format '") + s.type + "', not " + type_name(v));
  std::string digits;
  bool negative = false;
  if (std::string_view("eEfFgG%").find(s.type) != std::string_view::npos) {
    const bool percent = s.type == '%';
    if (percent) s.type = 'f';
    negative = std::signbit(v.real());
    digits = real_digits(std::fabs(v.real()) * (percent ? 100 : 1), s) + (percent ? "%" : "");
  } else {
    if (!v.is_whole() && std::fabs(v.real()) > 9.2e18) e.fail("a number is too large for a whole one");
    const int64_t whole = v.is_whole() ? v.integer() : static_cast<int64_t>(v.real());
    negative = whole < 0;
    digits = whole_digits(negative ? 0 - static_cast<uint64_t>(whole) : static_cast<uint64_t>(whole), s);
  }
  return write_digits(e, (negative ? "-" : "") + digits, v, s);
}

Text write_text(Evaluator& e, Text text, const Spec& s) {
  if (s.precision >= 0) text = text.slice(0, byte_of_char(text.bytes(), static_cast<size_t>(s.precision)));
  // str.format centers the odd character to the right.
  const Align align = s.align == '>' ? Align::right : s.align == '^' ? Align::center : Align::left;
  return pad(e, text, s.width, s.fill, align);
}

// Digits at `at`, which moves behind them; nothing if there are none.
std::optional<int64_t> read_number(Evaluator& e, std::string_view text, size_t& at, int64_t most) {
  int64_t value = 0;
  const size_t begin = at;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    value = value * 10 + (text[at] - '0');
    if (value > most) e.fail("a format has a number above " + std::to_string(most));
  }
  return begin == at ? std::nullopt : std::optional<int64_t>(value);
}

class Percent {
 public:
  Percent(Evaluator& e, const Text& format, const Value& values) : e_(e), format_(format), values_(values) {}

  Text run() {
    const std::string& f = format_.bytes();
    for (size_t at = 0; at < f.size();) {
      const size_t mark = std::min(f.find('%', at), f.size());
      e_.append(out_, format_, at, mark);
      at = mark;
      if (at < f.size()) at = conversion(at + 1);
    }
    if (!used_mapping_ && values_.is(Kind::tuple) && taken_ < values_.sequence().items.size())
      e_.fail("not all arguments converted during string formatting");
    if (!used_mapping_ && !values_.is(Kind::tuple) && !values_.is(Kind::dict) && !values_.is(Kind::list) &&
        !values_.is(Kind::undefined) && taken_ == 0)
      e_.fail("not all arguments converted during string formatting");
    return std::move(out_);
  }

 private:
  Value take() {
    const bool many = values_.is(Kind::tuple);
    if (taken_ >= (many ? values_.sequence().items.size() : 1)) e_.fail("not enough arguments for format string");
    return many ? values_.sequence().items[taken_++] : (++taken_, values_);
  }

  int64_t number_or_star(size_t& at, Spec& s) {
    const std::string& f = format_.bytes();
    if (at >= f.size() || f[at] != '*') return read_number(e_, f, at, max_width).value_or(0);
    ++at;
    const Value v = take();
    if (!v.is_whole() || std::abs(v.integer()) > max_width) e_.fail("* wants a whole number");
    if (v.integer() < 0) s.align = '<';
    return std::abs(v.integer());
  }

  // Behind the mark; returns where the text goes on.
  size_t conversion(size_t at) {
    const std::string& f = format_.bytes();
    Spec s;
    std::optional<Value> named;
    if (at < f.size() && f[at] == '(') {
      const size_t end = f.find(')', at);
      if (end == std::string::npos || !values_.is(Kind::dict)) e_.fail("format requires a mapping");
      const Value* found = values_.dict().find(std::string_view(f).substr(at + 1, end - at - 1));
      if (!found) e_.fail("a format names a key that is not there");
      named = *found;
      used_mapping_ = true;
      at = end + 1;
    }
    for (; at < f.size() && std::string_view("#0- +").find(f[at]) != std::string_view::npos; ++at) {
      s.alternate |= f[at] == '#';
      s.zero |= f[at] == '0';
      if (f[at] == '-') s.align = '<';
      if (f[at] == '+' || (f[at] == ' ' && !s.sign)) s.sign = f[at];
    }
    s.width = number_or_star(at, s);
    if (at < f.size() && f[at] == '.') s.precision = std::min(number_or_star(++at, s), max_precision);
    if (at >= f.size()) e_.fail("incomplete format");
    const char type = f[at++];
    if (type == '%') return e_.append(out_, "%", format_.from_user_at(at - 1)), at;
    const Value v = named ? *named : take();
    if (type == 's' || type == 'r') {
      if (!s.align) s.align = '>';
      e_.append(out_, write_text(e_, type == 's' ? e_.text_of(v) : e_.repr_of(v), s));
    } else if (std::string_view("diuxXoeEfFgG").find(type) != std::string_view::npos) {
      s.type = type == 'i' || type == 'u' ? 'd' : type;
      e_.append(out_, write_number(e_, v, s));
    } else {
      e_.fail(std::string("unsupported format character '") + type + "'");
    }
    return at;
  }

  Evaluator& e_;
  const Text& format_;
  const Value& values_;
  size_t taken_ = 0;
  bool used_mapping_ = false;
  Text out_;
};

class Braces {
 public:
  Braces(Evaluator& e, const Text& format, const Arguments& arguments)
      : e_(e), format_(format), arguments_(arguments) {}

  Text run() {
    const std::string& f = format_.bytes();
    for (size_t at = 0; at < f.size();) {
      const size_t mark = std::min(f.find_first_of("{}", at), f.size());
      e_.append(out_, format_, at, mark);
      at = mark;
      if (at == f.size()) break;
      if (at + 1 < f.size() && f[at + 1] == f[at]) {
        e_.append(out_, format_, at, at + 1);
        at += 2;
      } else if (f[at] == '}') {
        e_.fail("Single '}' encountered in format string");
      } else {
        at = field(at + 1);
      }
    }
    return std::move(out_);
  }

 private:
  size_t field(size_t at) {
    const std::string& f = format_.bytes();
    const size_t end = f.find('}', at);
    if (end == std::string::npos) e_.fail("expected '}' before end of string");
    std::string_view inner = std::string_view(f).substr(at, end - at);
    if (inner.find('{') != std::string_view::npos) e_.fail("format fields within format fields are not supported");
    const size_t colon = std::min(inner.find(':'), inner.size());
    std::string_view name = inner.substr(0, colon);
    const std::string_view spec = colon < inner.size() ? inner.substr(colon + 1) : std::string_view();
    const size_t bang = name.find('!');
    const std::string_view conversion = bang == std::string_view::npos ? "" : name.substr(bang + 1);
    Value v = look_up(name.substr(0, bang));
    if (conversion == "r") v = e_.string(e_.repr_of(v));
    if (conversion == "s") v = e_.string(e_.text_of(v));
    write(v, spec);
    return end + 1;
  }

  Value look_up(std::string_view name) {
    const size_t end = std::min(name.find_first_of(".["), name.size());
    const std::string_view head = name.substr(0, end);
    size_t at = 0;
    Value v;
    if (head.empty()) {
      number_fields(false);
      v = positional(automatic_++);
    } else if (const auto index = read_number(e_, head, at, 1'000'000); index && at == head.size()) {
      number_fields(true);
      v = positional(static_cast<size_t>(*index));
    } else {
      const auto found = std::find_if(arguments_.named.begin(), arguments_.named.end(),
                                      [&](const auto& n) { return n.first == head; });
      if (found == arguments_.named.end()) e_.fail("a format names an argument that is not there");
      v = found->second;
    }
    for (name.remove_prefix(end); !name.empty();) {
      const bool item = name[0] == '[';
      const size_t stop = std::min(name.find_first_of(item ? "]" : ".[", 1), name.size());
      const std::string_view key = name.substr(1, stop - 1);
      const auto index = parse_integer(key, 10);
      v = !item ? e_.attribute(v, key) : e_.item(v, index ? Value(*index) : e_.string(key));
      name.remove_prefix(std::min(stop + item, name.size()));
    }
    return v;
  }

  // Fields are numbered all by hand or all by their order.
  void number_fields(bool by_hand) {
    if (numbered_.value_or(by_hand) != by_hand) e_.fail("cannot switch between manual and automatic field numbering");
    numbered_ = by_hand;
  }

  Value positional(size_t i) {
    if (i >= arguments_.positional.size()) e_.fail("Replacement index " + std::to_string(i) + " out of range");
    return arguments_.positional[i];
  }

  // [[fill]align][sign][#][0][width][,][.precision][type]
  void write(const Value& v, std::string_view spec) {
    Spec s;
    size_t at = 0;
    const auto is_align = [&](size_t i) {
      return i < spec.size() && std::string_view("<>=^").find(spec[i]) != std::string_view::npos;
    };
    const auto skip = [&](char c) { return at < spec.size() && spec[at] == c && (++at, true); };
    const size_t first = spec.empty() ? 0 : utf8_size(spec[0]);
    if (is_align(first) && !spec.empty()) {
      s.fill = Text(spec.substr(0, first), false);
      s.align = spec[first];
      at = first + 1;
    } else if (is_align(0)) {
      s.align = spec[at++];
    }
    for (const char c : {'+', '-', ' '})
      if (skip(c) && c != '-') s.sign = c;
    s.alternate = skip('#');
    s.zero = skip('0');
    s.width = read_number(e_, spec, at, max_width).value_or(0);
    s.commas = skip(',');
    if (skip('.')) {
      const auto precision = read_number(e_, spec, at, max_width);
      if (!precision) e_.fail("Format specifier missing precision");
      s.precision = *precision;
    }
    if (at < spec.size()) s.type = spec[at++];
    if (at < spec.size()) e_.fail("Invalid format specifier");
    if (v.is(Kind::string)) {
      if ((s.type && s.type != 's') || s.sign || s.alternate || s.commas || s.align == '=')
        e_.fail("Invalid format specifier for a string");
      if (s.zero && !s.align) s.fill = Text("0", false);
      return e_.append(out_, write_text(e_, v.text(), s));
    }
    if (spec.empty()) return e_.append(out_, e_.text_of(v));
    if (!v.is_number()) e_.fail("unsupported format string passed to " + type_name(v) + ".__format__");
    const std::string_view types = v.is_whole() ? "eEfFgG%dxXob" : "eEfFgG%";
    if (s.type && types.find(s.type) == std::string_view::npos)
      e_.fail("Unknown format code for object of type " + type_name(v));
    if (s.precision >= 0 && v.is_whole() &&
        (!s.type || std::string_view("dxXob").find(s.type) != std::string_view::npos))
      e_.fail("Precision not allowed in integer format specifier");
    s.precision = std::min(s.precision, max_precision);
    if (!s.type && v.is(Kind::real)) {  // as it is, or, with a precision, at least one digit behind the point
      const std::string digits = s.precision < 0 ? repr_real(v.real()) : general_digits(v.real(), s);
      return e_.append(out_, write_digits(e_, digits, v, s));
    }
    if (!s.type) s.type = 'd';
    e_.append(out_, write_number(e_, v, s));
  }

  Evaluator& e_;
  const Text& format_;
  const Arguments& arguments_;
  size_t automatic_ = 0;
  std::optional<bool> numbered_;  // whether by hand
  Text out_;
};

}  // namespace

Text format_percent(Evaluator& e, const Text& format, const Value& values) {
  return Percent(e, format, values).run();
}

Text format_braces(Evaluator& e, const Text& format, const Arguments& arguments) {
  return Braces(e, format, arguments).run();
}

}  // namespace quern::chat
