// The methods of strings, as Python's str has them. See builtins.h.
#include <algorithm>

#include "chat/builtins.h"
#include "chat/evaluator.h"
#include "chat/python_text.h"
#include "chat/text_ops.h"
#include "tokenizers/utf8.h"

namespace quern::chat {
namespace {

const std::string& bytes(const Call& c) {
  return c.self.text().bytes();
}

template <Text (*change)(const Text&)>
Value recase_self(Call& c) {
  c.e.budget.work(4 * bytes(c).size());
  return c.e.string(change(c.self.text()));
}

template <bool left, bool right>
Value strip_ends(Call& c) {
  return c.e.string(strip(c.e, c.self.text(), c.args[0], left, right));
}

Value replace_in_self(Call& c) {
  return c.e.string(replace_all(c.e, c.self.text(), c.text(0), c.text(1), c.integer(2, -1)));
}

// The bytes that the optional bounds in arguments 1 and 2, in characters, leave. Nothing where they leave no place at
// all.
std::optional<Span> window(Call& c) {
  const std::string& text = bytes(c);
  if (!c.has(1) && !c.has(2)) return Span{0, static_cast<uint32_t>(text.size())};
  const int64_t size = static_cast<int64_t>(count_chars(text));
  const auto bound = [&](size_t i, int64_t absent) {
    const int64_t v = c.integer(i, absent);
    return v < 0 ? std::max<int64_t>(v + size, 0) : v;
  };
  const int64_t begin = bound(1, 0), end = std::min(bound(2, size), size);
  if (begin > end) return std::nullopt;
  const size_t first = byte_of_char(text, static_cast<size_t>(begin));
  return Span{static_cast<uint32_t>(first), static_cast<uint32_t>(byte_of_char(text, static_cast<size_t>(end)))};
}

template <bool at_start>
Value has_affix(Call& c) {
  const std::vector<Value> affixes =
      c.args[0].is(Kind::tuple) ? c.args[0].sequence().items : std::vector<Value>{c.args[0]};
  const auto part = window(c);
  for (const Value& affix : affixes) {
    if (!affix.is(Kind::string))
      c.e.fail(std::string(at_start ? "startswith" : "endswith") + " takes a string or a tuple of them, not " +
               type_name(affix));
    if (!part) continue;
    const std::string_view text = std::string_view(bytes(c)).substr(part->begin, part->end - part->begin);
    if (at_start ? text.starts_with(affix.text().bytes()) : text.ends_with(affix.text().bytes())) return Value(true);
  }
  return Value(false);
}

// Where the argument stands, in characters; -1: nowhere.
int64_t find_place(Call& c, bool from_right) {
  const auto part = window(c);
  const std::string& what = c.text(0).bytes();
  c.e.budget.work(bytes(c).size());
  if (!part) return -1;
  const std::string_view text = std::string_view(bytes(c)).substr(part->begin, part->end - part->begin);
  const size_t at = from_right ? text.rfind(what) : text.find(what);
  if (at == std::string_view::npos) return -1;
  return static_cast<int64_t>(count_chars(std::string_view(bytes(c)).substr(0, part->begin + at)));
}

template <bool from_right, bool must>
Value find(Call& c) {
  const int64_t at = find_place(c, from_right);
  if (must && at < 0) c.e.fail("substring not found");
  return Value(at);
}

Value count(Call& c) {
  const auto part = window(c);
  const std::string& what = c.text(0).bytes();
  if (!part) return Value(int64_t{0});
  const std::string_view text = std::string_view(bytes(c)).substr(part->begin, part->end - part->begin);
  c.e.budget.work(text.size());
  if (what.empty()) return Value(static_cast<int64_t>(count_chars(text)) + 1);
  int64_t n = 0;
  for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size())) ++n;
  return Value(n);
}

// Parts between white space. from_right: the rest is what stands before the last cuts.
std::vector<Span> split_white(std::string_view text, uint64_t cuts, bool from_right) {
  std::vector<Span> parts;
  std::string_view rest = from_right ? strip_right(text) : strip_left(text);
  const auto at = [&](std::string_view s) { return static_cast<uint32_t>(s.data() - text.data()); };
  while (!rest.empty()) {
    if (cuts-- == 0) {
      rest = from_right ? strip_right(rest) : rest;
      if (!from_right) {
        parts.push_back({at(rest), static_cast<uint32_t>(text.size())});
      } else {
        parts.push_back({0, static_cast<uint32_t>(rest.size())});
      }
      break;
    }
    size_t size = 0;
    const auto char_at = [&](size_t i) {
      return from_right ? decode_utf8_before(rest.data(), rest.size() - i) : decode_utf8(rest.data() + i);
    };
    while (size < rest.size() && !is_space(char_at(size).code)) size += char_at(size).size;
    const uint32_t begin = at(rest) + static_cast<uint32_t>(from_right ? rest.size() - size : 0);
    parts.push_back({begin, begin + static_cast<uint32_t>(size)});
    rest = from_right ? strip_right(rest.substr(0, rest.size() - size)) : strip_left(rest.substr(size));
  }
  return parts;
}

std::vector<Span> split_at(std::string_view text, std::string_view separator, uint64_t cuts, bool from_right) {
  std::vector<Span> parts;
  size_t begin = 0, end = text.size();
  while (cuts-- > 0) {
    const std::string_view rest = text.substr(begin, end - begin);
    const size_t found = from_right ? rest.rfind(separator) : rest.find(separator);
    if (found == std::string_view::npos) break;
    const size_t at = begin + found;
    if (from_right) {
      parts.push_back({static_cast<uint32_t>(at + separator.size()), static_cast<uint32_t>(end)});
      end = at;
    } else {
      parts.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(at)});
      begin = at + separator.size();
    }
  }
  parts.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
  return parts;
}

Value parts_of(Call& c, const std::vector<Span>& parts) {
  std::vector<Value> items;
  for (const Span& part : parts) items.push_back(c.e.string(c.self.text().slice(part.begin, part.end)));
  return c.e.list(std::move(items));
}

template <bool from_right>
Value split(Call& c) {
  const int64_t most = c.integer(1, -1);
  const uint64_t cuts = most < 0 ? UINT64_MAX : static_cast<uint64_t>(most);
  c.e.budget.work(bytes(c).size());
  const bool white = !c.has(0) || c.args[0].is(Kind::none);
  if (!white && c.text(0).empty()) c.e.fail("empty separator");
  std::vector<Span> parts =
      white ? split_white(bytes(c), cuts, from_right) : split_at(bytes(c), c.text(0).bytes(), cuts, from_right);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts_of(c, parts);
}

Value lines(Call& c) {
  return parts_of(c, split_lines(c.e, c.self.text(), c.truth(0, false)));
}

template <bool from_right>
Value partition(Call& c) {
  const std::string& separator = c.text(0).bytes();
  if (separator.empty()) c.e.fail("empty separator");
  c.e.budget.work(bytes(c).size());
  const size_t at = from_right ? bytes(c).rfind(separator) : bytes(c).find(separator);
  const Text& text = c.self.text();
  if (at == std::string::npos && from_right) return c.e.tuple({c.e.string(""), c.e.string(""), c.self});
  if (at == std::string::npos) return c.e.tuple({c.self, c.e.string(""), c.e.string("")});
  return c.e.tuple({c.e.string(text.slice(0, at)), c.e.string(c.text(0)),
                    c.e.string(text.slice(at + separator.size(), text.size()))});
}

template <bool prefix>
Value remove_affix(Call& c) {
  const std::string& affix = c.text(0).bytes();
  const Text& text = c.self.text();
  if (prefix && bytes(c).starts_with(affix)) return c.e.string(text.slice(affix.size(), text.size()));
  if (!prefix && bytes(c).ends_with(affix)) return c.e.string(text.slice(0, text.size() - affix.size()));
  return c.self;
}

Value join_strings(Call& c) {
  const std::vector<Value> items = c.e.items_of(c.args[0]);
  for (size_t i = 0; i < items.size(); ++i)
    if (!items[i].is(Kind::string))
      c.e.fail("sequence item " + std::to_string(i) + ": expected str instance, " + type_name(items[i]) + " found");
  return c.e.string(join(c.e, c.self.text(), items));
}

template <Align align>
Value pad_to(Call& c) {
  const Text fill = c.text_or(1, " ");
  if (count_chars(fill.bytes()) != 1) c.e.fail("the fill character must be exactly one character long");
  return c.e.string(pad(c.e, c.self.text(), c.integer(0, 0), fill, align));
}

Value zero_fill(Call& c) {
  const bool sign = bytes(c).starts_with('-') || bytes(c).starts_with('+');
  Text out = c.self.text().slice(0, sign);
  c.e.append(out, pad(c.e, c.self.text().slice(sign, bytes(c).size()), c.integer(0, 0) - sign, Text("0", false),
                      Align::right));
  return c.e.string(std::move(out));
}

Value format_self(Call& c) {
  return c.e.string(format_braces(c.e, c.self.text(), {std::move(c.more), std::move(c.named)}));
}

// Whether all characters, of which there must be one, are of a class.
template <bool (*is_class)(char32_t)>
Value all_are(Call& c) {
  const std::string& text = bytes(c);
  c.e.budget.work(text.size());
  for (size_t i = 0; i < text.size(); i += utf8_size(text[i]))
    if (!is_class(decode_utf8(text.data() + i).code)) return Value(false);
  return Value(!text.empty());
}

bool is_alnum_char(char32_t ch) {
  return is_alpha_char(ch) || is_numeric_char(ch);
}

// Whether there is a letter with case, and none of the other case.
template <bool upper_case>
Value self_has_case(Call& c) {
  const std::string& text = bytes(c);
  c.e.budget.work(text.size());
  bool any = false;
  for (size_t i = 0; i < text.size(); i += utf8_size(text[i])) {
    const char32_t ch = decode_utf8(text.data() + i).code;
    if (!is_cased_char(ch)) continue;
    any = true;
    if (is_upper_char(ch) != upper_case) return Value(false);
  }
  return Value(any);
}

Value is_title(Call& c) {
  c.e.budget.work(4 * bytes(c).size());
  const std::string& text = bytes(c);
  bool any = false;
  for (size_t i = 0; i < text.size() && !any; i += utf8_size(text[i]))
    any = is_cased_char(decode_utf8(text.data() + i).code);
  return Value(any && title(c.self.text()).bytes() == text);
}

constexpr Builtin string_method_table[] = {
    {"capitalize", recase_self<capitalize>},
    {"center", pad_to<Align::center>, "width,fillchar", 1},
    {"count", count, "sub,start,end", 1},
    {"endswith", has_affix<false>, "suffix,start,end", 1},
    {"find", find<false, false>, "sub,start,end", 1},
    {"format", format_self, "..."},
    {"index", find<false, true>, "sub,start,end", 1},
    {"isalnum", all_are<is_alnum_char>},
    {"isalpha", all_are<is_alpha_char>},
    {"isdecimal", all_are<is_digit_char>},
    {"isdigit", all_are<is_digit_char>},
    {"islower", self_has_case<false>},
    {"isnumeric", all_are<is_numeric_char>},
    {"isspace", all_are<chat::is_space>},
    {"istitle", is_title},
    {"isupper", self_has_case<true>},
    {"join", join_strings, "iterable", 1},
    {"ljust", pad_to<Align::left>, "width,fillchar", 1},
    {"lower", recase_self<lower>},
    {"lstrip", strip_ends<true, false>, "chars"},
    {"partition", partition<false>, "sep", 1},
    {"removeprefix", remove_affix<true>, "prefix", 1},
    {"removesuffix", remove_affix<false>, "suffix", 1},
    {"replace", replace_in_self, "old,new,count", 2},
    {"rfind", find<true, false>, "sub,start,end", 1},
    {"rindex", find<true, true>, "sub,start,end", 1},
    {"rjust", pad_to<Align::right>, "width,fillchar", 1},
    {"rpartition", partition<true>, "sep", 1},
    {"rsplit", split<true>, "sep,maxsplit"},
    {"rstrip", strip_ends<false, true>, "chars"},
    {"split", split<false>, "sep,maxsplit"},
    {"splitlines", lines, "keepends"},
    {"startswith", has_affix<true>, "prefix,start,end", 1},
    {"strip", strip_ends<true, true>, "chars"},
    {"swapcase", recase_self<swap_case>},
    {"title", recase_self<title>},
    {"upper", recase_self<upper>},
    {"zfill", zero_fill, "width", 1},
};

}  // namespace

std::span<const Builtin> string_methods() {
  return string_method_table;
}

}  // namespace quern::chat
