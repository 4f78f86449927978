// Values as text: str() and repr(), JSON, HTML. See evaluator.h.
#include <algorithm>

#include "chat/evaluator.h"
#include "chat/loop.h"
#include "chat/python_text.h"
#include "tokenizers/utf8.h"

namespace quern::chat {
namespace {

// A literal's text with the origins of what it stands for: made run by run where these differ. make: the literal of a
// part.
template <class Make>
Text by_runs(Evaluator& e, const Text& text, Make make) {
  Text out;
  size_t begin = 0;
  for (const Text::Run& run : text.runs()) {
    e.append(out, make(std::string_view(text.bytes()).substr(begin, run.end - begin)), run.from_user);
    begin = run.end;
  }
  return out;
}

bool is_user(const Value& value) {
  if (value.is(Kind::dict)) return value.dict().from_user;
  return value.is_sequence() && value.sequence().from_user;
}

Text repr_text(Evaluator& e, const Text& text) {
  const std::string whole = repr_string(text.bytes());
  if (text.runs().size() == 1 && !text.runs()[0].from_user) return Text(whole, false);
  Text out;  // the user's in part: all of it counts as the user's
  e.append(out, whole, !text.empty());
  return out;
}

Text repr_string_value(Evaluator& e, const Value& value) {
  if (!value.as<StringObject>().markup) return repr_text(e, value.text());
  Text out("Markup(", false);
  e.append(out, repr_text(e, value.text()));
  e.append(out, ")");
  return out;
}

Text repr_items(Evaluator& e, const Value& value, std::string_view open, std::string_view close, uint32_t depth) {
  const bool user = is_user(value);
  Text out(open, user);
  const auto& items = value.sequence().items;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) e.append(out, ", ", user);
    e.append(out, e.repr_of(items[i], depth + 1));
  }
  if (value.is(Kind::tuple) && items.size() == 1) e.append(out, ",", user);
  e.append(out, close, user);
  return out;
}

Text repr_dict(Evaluator& e, const Value& value, uint32_t depth) {
  const bool user = is_user(value);
  Text out("{", user);
  bool first = true;
  for (const auto& [key, item] : value.dict().entries) {
    if (!std::exchange(first, false)) e.append(out, ", ", user);
    e.append(out, e.repr_of(key, depth + 1));
    e.append(out, ": ", user);
    e.append(out, e.repr_of(item, depth + 1));
  }
  e.append(out, "}", user);
  return out;
}

Text repr_space(Evaluator& e, const Value& value, uint32_t depth) {
  std::vector<DictObject::Entry> entries;
  for (const auto& [name, item] : value.as<SpaceObject>().values) entries.emplace_back(e.string(name), item);
  Text out("<Namespace ", false);
  e.append(out, repr_dict(e, e.dict(std::move(entries)), depth));
  e.append(out, ">");
  return out;
}

Text repr_view(Evaluator& e, const Value& value, uint32_t depth) {
  constexpr const char* names[] = {"dict_keys(", "dict_values(", "dict_items("};
  Text out(names[static_cast<size_t>(value.as<ViewObject>().part)], false);
  e.append(out, e.repr_of(e.list(e.items_of(value)), depth));
  e.append(out, ")");
  return out;
}

std::string repr_range(const RangeObject& range) {
  const int64_t stop = range.start + static_cast<int64_t>(range.size) * range.step;
  return "range(" + std::to_string(range.start) + ", " + std::to_string(stop) +
         (range.step == 1 ? ")" : ", " + std::to_string(range.step) + ")");
}

}  // namespace

Text Evaluator::text_of(const Value& value) {
  if (value.is(Kind::string)) return value.text();
  if (value.is(Kind::undefined)) return {};
  return repr_of(value);
}

Text Evaluator::repr_of(const Value& value, uint32_t depth) {
  budget.step();
  if (depth > max_value_depth) fail("a value is nested too deep to be printed");
  const bool user = value.from_user();
  switch (value.kind()) {
    case Kind::undefined:
      return Text("Undefined", false);
    case Kind::none:
      return Text("None", false);
    case Kind::boolean:
      return Text(value.integer() ? "True" : "False", user);
    case Kind::integer:
      return Text(std::to_string(value.integer()), user);
    case Kind::real:
      return Text(repr_real(value.real()), user);
    case Kind::string:
      return repr_string_value(*this, value);
    case Kind::list:
      return repr_items(*this, value, "[", "]", depth);
    case Kind::tuple:
      return repr_items(*this, value, "(", ")", depth);
    case Kind::dict:
      return repr_dict(*this, value, depth);
    case Kind::range:
      return Text(repr_range(value.as<RangeObject>()), false);
    case Kind::view:
      return repr_view(*this, value, depth);
    case Kind::space:
      return repr_space(*this, value, depth);
    case Kind::callable:
      return Text(value.as<CallableObject>().describe(), false);
    default:
      return Text("<" + type_name(value) + " object>", false);
  }
}

Text escape_html(Evaluator& e, const Text& text) {
  constexpr std::pair<char, std::string_view> entities[] = {
      {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\'', "&#39;"}, {'"', "&#34;"}};
  return by_runs(e, text, [&](std::string_view part) {
    std::string out;
    for (const char c : part) {
      const auto found =
          std::find_if(std::begin(entities), std::end(entities), [c](const auto& x) { return x.first == c; });
      out += found == std::end(entities) ? std::string_view(&c, 1) : found->second;
    }
    return out;
  });
}

}  // namespace quern::chat
