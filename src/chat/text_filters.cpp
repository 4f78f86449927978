// Filters of texts, numbers and single values. See builtins.h.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "chat/builtins.h"
#include "chat/evaluator.h"
#include "chat/python_text.h"
#include "chat/text_ops.h"
#include "tokenizers/utf8.h"

namespace quern::chat {
namespace {

template <Text (*change)(const Text&)>
Value recase_text(Call& c) {
  const Text text = c.e.text_of(c.self);
  c.e.budget.work(4 * text.size());
  return c.e.string(change(text), is_markup(c.self));
}

// jinja2's own: words begin behind white space and - ( { [ <.
Value title_words(Call& c) {
  const Text text = c.e.text_of(c.self);
  Text out;
  const auto begins = [](std::string_view ch) {
    return is_space(decode_utf8(ch.data()).code) || std::string_view("-({[<").find(ch) != std::string_view::npos;
  };
  const std::string& bytes = text.bytes();
  for (size_t at = 0; at < bytes.size();) {
    size_t end = at + utf8_size(bytes[at]);
    c.e.append(out, upper(text.slice(at, end)));
    at = end;
    if (begins(std::string_view(bytes).substr(at - utf8_char_size_before(bytes, at), utf8_char_size_before(bytes, at))))
      continue;
    while (end < bytes.size() && !begins(std::string_view(bytes).substr(end, utf8_size(bytes[end]))))
      end += utf8_size(bytes[end]);
    c.e.append(out, lower(text.slice(at, end)));
    at = end;
  }
  return c.e.string(std::move(out));
}

Value trim(Call& c) {
  const Text text = c.e.text_of(c.self);
  return c.e.string(strip(c.e, text, c.args[0], true, true), is_markup(c.self));
}

Value replace_in_text(Call& c) {
  return c.e.string(
      replace_all(c.e, c.e.text_of(c.self), c.e.text_of(c.args[0]), c.e.text_of(c.args[1]), c.integer(2, -1)));
}

Value center(Call& c) {
  return c.e.string(pad(c.e, c.e.text_of(c.self), c.integer(0, 80), Text(" ", false), Align::center));
}

Value to_string(Call& c) {
  return c.self.is(Kind::string) ? c.self : c.e.string(c.e.text_of(c.self));
}

Value safe(Call& c) {
  return c.e.string(c.e.text_of(c.self), true);
}

Value escape(Call& c) {
  return is_markup(c.self) ? c.self : c.e.string(escape_html(c.e, c.e.text_of(c.self)), true);
}

Value force_escape(Call& c) {
  return c.e.string(escape_html(c.e, c.e.text_of(c.self)), true);
}

Value format_text(Call& c) {
  if (!c.more.empty() && !c.named.empty()) c.e.fail("format takes positional or named arguments, not both");
  std::vector<DictObject::Entry> entries;
  for (const auto& [name, value] : c.named) entries.emplace_back(c.e.string(name), value);
  const Value values = entries.empty() ? c.e.tuple(std::move(c.more)) : c.e.dict(std::move(entries));
  return c.e.string(format_percent(c.e, c.e.text_of(c.self), values));
}

Value indent(Call& c) {
  c.e.refuse_undefined(c.self);
  if (!c.self.is(Kind::string)) c.e.fail("indent takes a string, not a value of type " + type_name(c.self));
  const bool text_width = c.has(0) && c.args[0].is(Kind::string);
  const Text width = text_width ? c.text(0) : pad(c.e, Text(), c.integer(0, 4), Text(" ", false), Align::left);
  const bool first = c.truth(1, false), blank = c.truth(2, false);
  Text text = c.self.text();
  text.append("\n", false);
  const std::vector<Span> lines = split_lines(c.e, text, false);
  Text out;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) c.e.append(out, "\n");
    const bool indented = i == 0 ? first : blank || lines[i].begin < lines[i].end;
    if (indented) c.e.append(out, width);
    c.e.append(out, text, lines[i].begin, lines[i].end);
  }
  return c.e.string(std::move(out), is_markup(c.self));
}

Value truncate(Call& c) {
  const Text end = c.text_or(2, "...");
  const int64_t length = c.integer(0, 255), leeway = c.integer(3, 5);
  const int64_t room = length - static_cast<int64_t>(count_chars(end.bytes()));
  if (room < 0 || leeway < 0) c.e.fail("truncate has too small a length or leeway");
  const std::optional<size_t> size = size_of(c.self);
  if (size && static_cast<int64_t>(*size) - leeway <= length) return c.self;
  if (!c.self.is(Kind::string)) c.e.fail("truncate takes a string, not a value of type " + type_name(c.self));
  const Text& text = c.self.text();
  c.e.budget.work(text.size());
  size_t cut = byte_of_char(text.bytes(), static_cast<size_t>(room));
  if (!c.truth(1, false)) {
    const size_t space = std::string_view(text.bytes()).substr(0, cut).rfind(' ');
    if (space != std::string_view::npos) cut = space;
  }
  Text out = text.slice(0, cut);
  c.e.append(out, end);
  return c.e.string(std::move(out));
}

Value word_count(Call& c) {
  const Text text = c.e.text_of(c.self);
  int64_t n = 0;
  bool inside = false;
  for (size_t i = 0; i < text.size();) {
    const Utf8Char ch = decode_utf8(text.bytes().data() + i);
    const bool word = ch.code == '_' || is_alpha_char(ch.code) || is_numeric_char(ch.code);
    n += word && !inside;
    inside = word;
    i += ch.size;
  }
  return Value(n);
}

Value url_encode(Call& c) {
  if (c.self.is_sequence() || c.self.is(Kind::dict)) c.e.fail("urlencode of pairs is not supported");
  const Text text = c.e.text_of(c.self);
  Text out;
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t byte = static_cast<uint8_t>(text.bytes()[i]);
    const bool plain = byte < 128 && (is_alpha_char(byte) || is_digit_char(byte) ||
                                      std::string_view("_.-~/").find(text.bytes()[i]) != std::string_view::npos);
    const std::string hex = {'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
    c.e.append(out, plain ? std::string_view(text.bytes()).substr(i, 1) : std::string_view(hex), text.from_user_at(i));
  }
  return c.e.string(std::move(out));
}

// A real number's whole part.
Value whole_part(Evaluator& e, double value, const Value& from) {
  if (!(std::fabs(value) < 9.2e18)) e.fail("a number is too large for a whole one");
  return Value(static_cast<int64_t>(value), from.from_user() || from.is(Kind::string));
}

Value to_integer(Call& c) {
  c.e.refuse_undefined(c.self);
  const Value absent = c.has(0) ? c.args[0] : Value(int64_t{0});
  if (c.self.is_whole()) return Value(c.self.integer(), c.self.from_user());
  if (c.self.is(Kind::real)) return std::isnan(c.self.real()) ? absent : whole_part(c.e, c.self.real(), c.self);
  if (!c.self.is(Kind::string)) return absent;
  const std::string& text = c.self.text().bytes();
  c.e.budget.work(text.size());
  if (const auto whole = parse_integer(text, static_cast<int>(std::clamp<int64_t>(c.integer(1, 10), -1, 99))))
    return Value(*whole, c.self.text().any_from_user());
  const auto real = parse_real(text);
  return !real || !std::isfinite(*real) ? absent : whole_part(c.e, *real, c.self);
}

Value to_real(Call& c) {
  c.e.refuse_undefined(c.self);
  if (c.self.is_number()) return Value(c.self.real(), c.self.from_user());
  const auto real = c.self.is(Kind::string) ? parse_real(c.self.text().bytes()) : std::nullopt;
  return real ? Value(*real, c.self.text().any_from_user()) : c.has(0) ? c.args[0] : Value(0.0);
}

const Value& number_of(Call& c) {
  c.e.refuse_undefined(c.self);
  if (!c.self.is_number()) c.e.fail("a number is expected, not a value of type " + type_name(c.self));
  return c.self;
}

Value absolute(Call& c) {
  const Value& v = number_of(c);
  if (!v.is_whole()) return Value(std::fabs(v.real()), v.from_user());
  return v.integer() < 0 ? c.e.arithmetic("-", Value(int64_t{0}), v) : Value(v.integer(), v.from_user());
}

Value round(Call& c) {
  const Value& v = number_of(c);
  const int64_t digits = std::clamp<int64_t>(c.integer(0, 0), -300, 300);
  const std::string method = c.text_or(1, "common").bytes();
  const double scale = std::pow(10.0, static_cast<double>(digits));
  if (method == "ceil") return Value((std::ceil(v.real() * scale) + 0.0) / scale, v.from_user());
  if (method == "floor") return Value((std::floor(v.real() * scale) + 0.0) / scale, v.from_user());
  if (method != "common") c.e.fail("round's method must be common, ceil or floor");
  if (v.is_whole() && digits >= 0) return Value(v.integer(), v.from_user());
  if (digits < 0) {
    const double rounded = std::nearbyint(v.real() * scale) / scale;
    return v.is_whole() ? whole_part(c.e, rounded, v) : Value(rounded, v.from_user());
  }
  char text[720];  // the exact decimal value, rounded half to even
  const auto end =
      std::to_chars(text, text + sizeof text, v.real(), std::chars_format::fixed, static_cast<int>(digits)).ptr;
  return Value(parse_real(std::string_view(text, static_cast<size_t>(end - text))).value_or(v.real()), v.from_user());
}

Value fall_back(Call& c) {
  const bool falls = c.self.is(Kind::undefined) || (c.truth(1, false) && !is_true(c.self));
  return !falls ? c.self : c.has(0) ? c.args[0] : c.e.string("");
}

Value length(Call& c) {
  const auto size = size_of(c.self);
  if (!size) c.e.fail("object of type '" + type_name(c.self) + "' has no len()");
  return Value(static_cast<int64_t>(*size));
}

// Only what is an attribute, not an item.
Value attr(Call& c) {
  const std::string& name = c.text(0).bytes();
  c.e.refuse_undefined(c.self);
  if (!c.self.is(Kind::dict) || find_method(Kind::dict, name)) return c.e.attribute(c.self, name);
  return c.e.undefined("'dict object' has no attribute");
}

Value as_json(Call& c) {
  JsonStyle style;
  style.ascii = c.truth(0, false);
  style.sort_keys = c.truth(3, false);
  if (c.has(1) && c.args[1].is(Kind::string)) {
    style.indent = c.text(1);
  } else if (c.has(1) && !c.args[1].is(Kind::none)) {
    style.indent = pad(c.e, Text(), c.integer(1, 0), Text(" ", false), Align::left);
  }
  style.item_separator = Text(style.indent ? "," : ", ", false);
  style.key_separator = Text(": ", false);
  if (c.has(2) && !c.args[2].is(Kind::none)) {
    const std::vector<Value> both = c.e.items_of(c.args[2]);
    if (both.size() != 2 || !both[0].is(Kind::string) || !both[1].is(Kind::string))
      c.e.fail("tojson's separators should be two strings");
    style.item_separator = both[0].text();
    style.key_separator = both[1].text();
  }
  return c.e.string(to_json(c.e, c.self, style));
}

constexpr Builtin text_filter_table[] = {
    {"abs", absolute},
    {"attr", attr, "name", 1},
    {"capitalize", recase_text<capitalize>},
    {"center", center, "width"},
    {"count", length},
    {"d", fall_back, "default_value,boolean"},
    {"default", fall_back, "default_value,boolean"},
    {"e", escape},
    {"escape", escape},
    {"float", to_real, "default"},
    {"forceescape", force_escape},
    {"format", format_text, "..."},
    {"indent", indent, "width,first,blank"},
    {"int", to_integer, "default,base"},
    {"length", length},
    {"lower", recase_text<lower>},
    {"replace", replace_in_text, "old,new,count", 2},
    {"round", round, "precision,method"},
    {"safe", safe},
    {"string", to_string},
    {"title", title_words},
    {"tojson", as_json, "ensure_ascii,indent,separators,sort_keys"},
    {"trim", trim, "chars"},
    {"truncate", truncate, "length,killwords,end,leeway"},
    {"upper", recase_text<upper>},
    {"urlencode", url_encode},
    {"wordcount", word_count},
};

}  // namespace

std::span<const Builtin> text_filters() {
  return text_filter_table;
}

}  // namespace quern::chat
