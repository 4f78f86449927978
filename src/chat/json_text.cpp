// Values as JSON, character for character what Python's json.dumps writes. See evaluator.h.
#include <algorithm>
#include <cmath>

#include "chat/evaluator.h"
#include "chat/python_text.h"
#include "tokenizers/utf8.h"

namespace quern::chat {
namespace {

std::string escaped(uint32_t unit) {
  std::string out = "\\u";
  for (int i = 3; i >= 0; --i) out += "0123456789abcdef"[unit >> (4 * i) & 15];
  return out;
}

std::string escape(std::string_view text, bool ascii) {
  constexpr std::string_view special = "\"\\\n\r\t\b\f", letters = "\"\\nrtbf";
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = decode_utf8(text.data() + i);
    const size_t known = c.code < 128 ? special.find(static_cast<char>(c.code)) : std::string_view::npos;
    if (known != std::string_view::npos) {
      out += '\\';
      out += letters[known];
    } else if (c.code >= 0x10000 && ascii) {
      out += escaped(0xD800 + ((c.code - 0x10000) >> 10)) + escaped(0xDC00 + (c.code & 0x3FF));
    } else if (c.code < 0x20 || (ascii && c.code > 0x7E)) {
      out += escaped(c.code);
    } else {
      out += text.substr(i, c.size);
    }
    i += c.size;
  }
  return out;
}

std::string json_real(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return repr_real(value);
}

class JsonWriter {
 public:
  JsonWriter(Evaluator& e, const JsonStyle& style) : e_(e), style_(style) {}
  Text out;

  void write(const Value& value, size_t level) {
    e_.budget.step();
    switch (value.kind()) {
      case Kind::none:
        return put("null");
      case Kind::boolean:
        return e_.append(out, value.integer() ? "true" : "false", value.from_user());
      case Kind::integer:
        return e_.append(out, std::to_string(value.integer()), value.from_user());
      case Kind::real:
        return e_.append(out, json_real(value.real()), value.from_user());
      case Kind::string:
        return write_string(value.text());
      case Kind::list:
      case Kind::tuple:
        return write_list(value.sequence(), level);
      case Kind::dict:
        return write_dict(value.dict(), level);
      default:
        e_.fail("Object of type " + type_name(value) + " is not JSON serializable");
    }
  }

 private:
  void put(std::string_view text) { e_.append(out, text, user_); }
  void put(const Text& text) { user_ ? put(text.bytes()) : e_.append(out, text); }

  void write_string(const Text& text) {
    put("\"");
    size_t begin = 0;
    for (const Text::Run& run : text.runs()) {
      e_.append(out, escape(std::string_view(text.bytes()).substr(begin, run.end - begin), style_.ascii),
                run.from_user);
      begin = run.end;
    }
    put("\"");
  }

  void new_line(size_t level) {
    if (!style_.indent) return;
    put("\n");
    for (size_t i = 0; i < level; ++i) put(*style_.indent);
  }

  template <class Items, class Write>
  void write_all(const Items& items, bool from_user, size_t level, std::string_view brackets, Write write_one) {
    const bool outer = std::exchange(user_, from_user);
    put(brackets.substr(0, 1));
    bool first = true;
    for (const auto& item : items) {
      if (!std::exchange(first, false)) put(style_.item_separator);
      new_line(level + 1);
      write_one(item);
    }
    if (!first) new_line(level);
    put(brackets.substr(1));
    user_ = outer;
  }

  void write_list(const SequenceObject& list, size_t level) {
    write_all(list.items, list.from_user, level, "[]", [&](const Value& item) { write(item, level + 1); });
  }

  void write_key(const Value& key) {
    if (key.is(Kind::string)) return write_string(key.text());
    if (!key.is_number() && !key.is(Kind::none))
      e_.fail("keys must be str, int, float, bool or None, not " + type_name(key));
    put("\"");
    write(key, 0);
    put("\"");
  }

  void write_dict(const DictObject& dict, size_t level) {
    std::vector<const DictObject::Entry*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (style_.sort_keys) {
      for (const auto* entry : entries)
        if (!order(entry->first, entries[0]->first, &e_.budget)) e_.fail("keys of different types can't be sorted");
      std::stable_sort(entries.begin(), entries.end(), [&](const auto* a, const auto* b) {
        return order(a->first, b->first, &e_.budget).value_or(0) < 0;
      });
    }
    write_all(entries, dict.from_user, level, "{}", [&](const DictObject::Entry* entry) {
      write_key(entry->first);
      put(style_.key_separator);
      write(entry->second, level + 1);
    });
  }

  Evaluator& e_;
  const JsonStyle& style_;
  bool user_ = false;  // whether brackets and the like are in a value of the input
};

}  // namespace

Text to_json(Evaluator& e, const Value& value, const JsonStyle& style) {
  JsonWriter writer(e, style);
  writer.write(value, 0);
  return std::move(writer.out);
}

}  // namespace quern::chat
