// Filters of lists and dicts. See builtins.h.
#include <algorithm>

#include "chat/builtins.h"
#include "chat/evaluator.h"
#include "chat/python_text.h"
#include "chat/text_ops.h"

namespace quern::chat {
namespace {

// "a.b.0": the parts that are looked up one after the other. Nothing: the item itself.
using Path = std::vector<Value>;

Path path_of(Evaluator& e, const Value& attribute) {
  if (attribute.is(Kind::absent) || attribute.is(Kind::none)) return {};
  if (!attribute.is(Kind::string)) return {attribute};
  Path path;
  std::string_view rest = attribute.text().bytes();
  for (bool more = true; more;) {
    const size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    const bool digits = !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    const auto number = digits ? parse_integer(part, 10) : std::nullopt;
    path.push_back(number ? Value(*number) : e.string(part));
    more = dot != std::string_view::npos;
    if (more) rest.remove_prefix(dot + 1);
  }
  return path;
}

Value follow(Evaluator& e, Value value, const Path& path, const Value& absent = Value::absent()) {
  for (const Value& part : path) {
    value = e.item(value, part);
    if (value.is(Kind::undefined) && !absent.is(Kind::absent) && !absent.is(Kind::none)) value = absent;
  }
  return value;
}

Value fold_case(Evaluator& e, const Value& value, bool case_sensitive) {
  return case_sensitive || !value.is(Kind::string) ? value : e.string(lower(value.text()));
}

// Stable, and equal items keep their order in reverse too, as Python's sorted.
template <class Key>
std::vector<Value> sorted(Evaluator& e, std::vector<Value> items, bool reverse, Key key) {
  struct Entry {
    Value key, item;
  };
  std::vector<Entry> entries;
  for (Value& item : items) entries.push_back({key(item), item});
  std::stable_sort(entries.begin(), entries.end(),
                   [&](const Entry& a, const Entry& b) { return e.compare(reverse ? ">" : "<", a.key, b.key); });
  for (size_t i = 0; i < items.size(); ++i) items[i] = std::move(entries[i].item);
  return items;
}

Value sort(Call& c) {
  std::vector<Path> paths;
  if (c.has(2) && c.args[2].is(Kind::string)) {
    std::string_view rest = c.text(2).bytes();
    for (bool more = true; more;) {
      const size_t comma = rest.find(',');
      paths.push_back(path_of(c.e, c.e.string(rest.substr(0, comma))));
      more = comma != std::string_view::npos;
      if (more) rest.remove_prefix(comma + 1);
    }
  } else {
    paths.push_back(path_of(c.e, c.args[2]));
  }
  const bool case_sensitive = c.truth(1, false);
  return c.e.list(sorted(c.e, c.e.items_of(c.self), c.truth(0, false), [&](const Value& item) {
    std::vector<Value> keys;
    for (const Path& path : paths) keys.push_back(fold_case(c.e, follow(c.e, item, path), case_sensitive));
    return c.e.list(std::move(keys));
  }));
}

std::vector<Value> pairs_of(Call& c) {
  if (!c.self.is(Kind::dict)) c.e.fail("a mapping is expected, not a value of type " + type_name(c.self));
  std::vector<Value> pairs;
  for (const auto& [key, value] : c.self.dict().entries) pairs.push_back(c.e.tuple({key, value}));
  return pairs;
}

Value dict_sort(Call& c) {
  c.e.refuse_undefined(c.self);
  const std::string by = c.text_or(1, "key").bytes();
  if (by != "key" && by != "value") c.e.fail("dictsort sorts by \"key\" or \"value\"");
  const bool case_sensitive = c.truth(0, false);
  return c.e.list(sorted(c.e, pairs_of(c), c.truth(2, false), [&](const Value& pair) {
    return fold_case(c.e, pair.sequence().items[by == "value"], case_sensitive);
  }));
}

// An iterator over a list that has been made.
Value once(Evaluator& e, std::vector<Value> items) {
  const Value list = e.list(std::move(items));
  return e.iterator(e.iterate(list), depth_of(list));
}

Value items(Call& c) {
  return once(c.e, c.self.is(Kind::undefined) ? std::vector<Value>() : pairs_of(c));
}

Value group_by(Call& c) {
  const Path path = path_of(c.e, c.args[0]);
  const Value absent = c.args[1];
  const bool case_sensitive = c.truth(2, false);
  const auto key = [&](const Value& item) { return fold_case(c.e, follow(c.e, item, path, absent), case_sensitive); };
  const std::vector<Value> all = sorted(c.e, c.e.items_of(c.self), false, key);
  std::vector<Value> groups;
  for (size_t i = 0; i < all.size();) {
    const Value group_key = key(all[i]);
    std::vector<Value> members;
    const Value shown = case_sensitive ? group_key : follow(c.e, all[i], path, absent);
    for (; i < all.size() && equal(key(all[i]), group_key, &c.e.budget); ++i) members.push_back(all[i]);
    Value group = c.e.tuple({shown, c.e.list(std::move(members))});
    group.as<SequenceObject>().is_group = true;
    groups.push_back(std::move(group));
  }
  return c.e.list(std::move(groups));
}

Value unique(Call& c) {
  const Path path = path_of(c.e, c.args[1]);
  std::vector<Value> out;
  std::vector<DictObject::Entry> seen;
  for (const Value& item : c.e.items_of(c.self)) {
    const Value key = c.e.hashable(fold_case(c.e, follow(c.e, item, path), c.truth(0, false)));
    const bool known =
        std::any_of(seen.begin(), seen.end(), [&](const auto& s) { return equal(s.first, key, &c.e.budget); });
    if (known) continue;
    seen.emplace_back(key, Value());
    out.push_back(item);
  }
  return once(c.e, std::move(out));
}

template <bool greatest>
Value extreme(Call& c) {
  const Path path = path_of(c.e, c.args[1]);
  const bool case_sensitive = c.truth(0, false);
  const std::vector<Value> all = c.e.items_of(c.self);
  if (all.empty()) return c.e.undefined("No aggregated item, sequence was empty.");
  const auto key = [&](const Value& item) { return fold_case(c.e, follow(c.e, item, path), case_sensitive); };
  size_t best = 0;
  Value best_key = key(all[0]);
  for (size_t i = 1; i < all.size(); ++i) {
    Value k = key(all[i]);
    if (!c.e.compare(greatest ? ">" : "<", k, best_key)) continue;
    best = i;
    best_key = std::move(k);
  }
  return all[best];
}

Value sum(Call& c) {
  const Path path = path_of(c.e, c.args[0]);
  Value total = c.has(1) ? c.args[1] : Value(int64_t{0});
  if (total.is(Kind::string)) c.e.fail("sum() can't sum strings");
  for (const Value& item : c.e.items_of(c.self)) total = c.e.arithmetic("+", total, follow(c.e, item, path));
  return total;
}

Value join_items(Call& c) {
  std::vector<Value> all = c.e.items_of(c.self);
  const Path path = path_of(c.e, c.args[1]);
  if (!path.empty())
    for (Value& item : all) item = follow(c.e, item, path);
  return c.e.string(join(c.e, c.has(0) ? c.e.text_of(c.args[0]) : Text(), all));
}

Value list(Call& c) {
  return c.e.list(c.e.items_of(c.self));
}

Value first(Call& c) {
  Value item;
  return c.e.iterate(c.self)(item) ? item : c.e.undefined("No first item, sequence was empty.");
}

Value last(Call& c) {
  if (c.self.is(Kind::iterator)) c.e.fail("'generator' object is not reversible");
  std::vector<Value> all = c.e.items_of(c.self);
  return all.empty() ? c.e.undefined("No last item, sequence was empty.") : all.back();
}

Value reverse(Call& c) {
  if (c.self.is(Kind::string)) return c.e.slice(c.self, Value::none(), Value::none(), Value(int64_t{-1}));
  std::vector<Value> all = c.e.items_of(c.self);
  std::reverse(all.begin(), all.end());
  return c.self.is(Kind::iterator) ? c.e.list(std::move(all)) : once(c.e, std::move(all));
}

Value batch(Call& c) {
  const int64_t size = c.integer(0, 0);
  if (size < 1) c.e.fail("batch takes a size above 0");
  std::vector<Value> all = c.e.items_of(c.self), out, part;
  for (size_t i = 0; i < all.size(); ++i) {
    part.push_back(all[i]);
    const bool is_last = i + 1 == all.size();
    if (is_last && c.has(1) && !c.args[1].is(Kind::none)) {
      if (size > 100'000) c.e.fail("batch has a size above 100000");
      part.resize(static_cast<size_t>(size), c.args[1]);
    }
    if (is_last || static_cast<int64_t>(part.size()) == size) out.push_back(c.e.list(std::exchange(part, {})));
  }
  return once(c.e, std::move(out));
}

Value slice(Call& c) {
  const int64_t n = c.integer(0, 0);
  if (n < 1 || n > 100'000) c.e.fail("slice takes a number from 1 to 100000");
  const std::vector<Value> all = c.e.items_of(c.self);
  const size_t parts = static_cast<size_t>(n), each = all.size() / parts, extra = all.size() % parts;
  std::vector<Value> out;
  size_t at = 0;
  for (size_t i = 0; i < parts; ++i) {
    const size_t end = at + each + (i < extra);
    std::vector<Value> part(all.begin() + static_cast<std::ptrdiff_t>(at),
                            all.begin() + static_cast<std::ptrdiff_t>(end));
    if (i >= extra && c.has(1) && !c.args[1].is(Kind::none)) part.push_back(c.args[1]);
    out.push_back(c.e.list(std::move(part)));
    at = end;
  }
  return once(c.e, std::move(out));
}

uint32_t deepest(const Call& c) {
  uint32_t depth = depth_of(c.self);
  for (const Value& v : c.more) depth = std::max(depth, depth_of(v));
  for (const auto& [name, v] : c.named) depth = std::max(depth, depth_of(v));
  return depth;
}

// Items that a test lets through (or not), of which an attribute may be tested. Each is looked at when it is asked for.
template <bool by_attribute, bool wanted>
Value select(Call& c) {
  if (!is_true(c.self)) return once(c.e, {});
  Arguments rest{std::move(c.more), std::move(c.named)};
  const auto take = [&] {
    Value v = rest.positional[0];
    rest.positional.erase(rest.positional.begin());
    return v;
  };
  const uint32_t depth = deepest(c);
  if (by_attribute && rest.positional.empty()) c.e.fail("the name of an attribute is missing");
  const Path path = by_attribute ? path_of(c.e, take()) : Path();
  const Builtin* test = nullptr;
  if (!rest.positional.empty()) {
    const Value name = take();
    test = name.is(Kind::string) ? find_test(name.text().bytes()) : nullptr;
    if (!test) c.e.fail("there is no test " + c.e.repr_of(name).bytes());
  }
  return c.e.iterator(
      [&e = c.e, path, test, rest, next = c.e.iterate(c.self)](Value& out) {
        while (next(out)) {
          e.budget.step();
          const Value value = follow(e, out, path);
          Arguments arguments = rest;
          if (is_true(test ? e.run(*test, value, arguments) : value) == wanted) return true;
        }
        return false;
      },
      depth);
}

Value map(Call& c) {
  if (!is_true(c.self)) return once(c.e, {});
  const uint32_t depth = deepest(c);
  Arguments rest{std::move(c.more), std::move(c.named)};
  Next next = c.e.iterate(c.self);
  if (rest.positional.empty()) {
    Value attribute = Value::absent(), absent = Value::absent();
    for (const auto& [name, value] : rest.named) {
      if (name != "attribute" && name != "default") c.e.fail("map has no parameter '" + name + "'");
      (name == "default" ? absent : attribute) = value;
    }
    if (attribute.is(Kind::absent)) c.e.fail("map requires a filter argument");
    return c.e.iterator(
        [&e = c.e, path = path_of(c.e, attribute), absent, next](Value& out) {
          if (!next(out)) return false;
          out = follow(e, out, path, absent);
          return true;
        },
        depth);
  }
  const Value name = rest.positional[0];
  rest.positional.erase(rest.positional.begin());
  const Builtin* filter = name.is(Kind::string) ? find_filter(name.text().bytes()) : nullptr;
  if (!filter) c.e.fail("there is no filter " + c.e.repr_of(name).bytes());
  return c.e.iterator(
      [&e = c.e, filter, rest, next](Value& out) {
        if (!next(out)) return false;
        Arguments arguments = rest;
        out = e.run(*filter, Value(out), arguments);
        return true;
      },
      depth);
}

constexpr Builtin filters[] = {
    {"batch", batch, "linecount,fill_with", 1},
    {"dictsort", dict_sort, "case_sensitive,by,reverse"},
    {"first", first},
    {"groupby", group_by, "attribute,default,case_sensitive", 1},
    {"items", items},
    {"join", join_items, "d,attribute"},
    {"last", last},
    {"list", list},
    {"map", map, "..."},
    {"max", extreme<true>, "case_sensitive,attribute"},
    {"min", extreme<false>, "case_sensitive,attribute"},
    {"reject", select<false, false>, "..."},
    {"rejectattr", select<true, false>, "..."},
    {"reverse", reverse},
    {"select", select<false, true>, "..."},
    {"selectattr", select<true, true>, "..."},
    {"slice", slice, "slices,fill_with", 1},
    {"sort", sort, "reverse,case_sensitive,attribute"},
    {"sum", sum, "attribute,start"},
    {"unique", unique, "case_sensitive,attribute"},
};

}  // namespace

std::span<const Builtin> sequence_filters() {
  return filters;
}

}  // namespace quern::chat
