// Padding. See padding.h.
#include "padding.h"

#include <algorithm>

#include "error.h"

namespace quern {
namespace {

constexpr size_t max_length = size_t{1} << 31;

template <class T>
void extend(std::vector<T>& values, size_t n, bool left, T value) {
  values.insert(left ? values.begin() : values.end(), n, value);
}

}  // namespace

void pad(std::span<Encoding> batch, const Padding& padding) {
  size_t length = padding.length;
  if (length == 0) {
    for (const Encoding& e : batch) length = std::max(length, e.ids.size());
  }
  if (padding.multiple_of > 0 && length % padding.multiple_of > 0) {
    length += padding.multiple_of - length % padding.multiple_of;
  }
  if (length > max_length) {
    throw Error(Status::bad_argument, "the padded length should be at most 2^31, but is " + std::to_string(length));
  }
  for (Encoding& e : batch) {
    e.attention_mask.assign(e.ids.size(), 1);
    if (e.ids.size() >= length) continue;
    const size_t n = length - e.ids.size();
    const bool with_offsets = !e.offsets.empty();
    extend(e.ids, n, padding.left, padding.id);
    extend(e.type_ids, n, padding.left, padding.type_id);
    extend<uint8_t>(e.special_mask, n, padding.left, 1);
    extend<uint8_t>(e.attention_mask, n, padding.left, 0);
    if (with_offsets) extend(e.offsets, n, padding.left, Span{});
  }
}

Padding read_padding(const JsonField& field) {
  Padding padding;
  const JsonField strategy = field.at("strategy");
  if (!strategy.is_string()) {
    padding.length = static_cast<size_t>(strategy.at("Fixed").integer(max_length));
  } else if (strategy.string() != "BatchLongest") {
    strategy.fail("is \"" + strategy.string() + "\"; expected BatchLongest or Fixed");
  }
  padding.left = field.points_left();
  if (const auto n = field.find("pad_to_multiple_of"))
    padding.multiple_of = static_cast<size_t>(n->integer(max_length));
  if (const auto id = field.find("pad_id")) padding.id = static_cast<int32_t>(id->integer(INT32_MAX));
  if (const auto id = field.find("pad_type_id")) padding.type_id = static_cast<int32_t>(id->integer(INT32_MAX));
  return padding;
}

}  // namespace quern
