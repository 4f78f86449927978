// Strip, Replace and Prepend: edits that know nothing of Unicode but white space.
#include <algorithm>

#include "normalizer.h"
#include "unicode.h"
#include "utf8.h"

namespace quern {
namespace {

constexpr size_t max_pattern = 1024;  // bytes: a search costs at most text × pattern

std::u32string decode_all(const std::string& s) {
  std::u32string out;
  for (size_t i = 0; i < s.size();) {
    const Utf8Char c = decode_utf8(s.data() + i);  // valid: the JSON reader refuses other strings
    out += c.code;
    i += c.size;
  }
  return out;
}

class Strip final : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  void apply(Chars& text, NormalizerScratch&) const override {
    const auto keep = [](const Char& c) { return !(unicode::flags(c.code) & unicode::white_space); };
    if (right_) text.erase(std::find_if(text.rbegin(), text.rend(), keep).base(), text.end());
    if (left_) text.erase(text.begin(), std::find_if(text.begin(), text.end(), keep));
  }

 private:
  bool left_, right_;
};

class Replace final : public Normalizer {
 public:
  Replace(std::u32string pattern, std::u32string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  void apply(Chars& text, NormalizerScratch& scratch) const override {
    const auto equal = [](const Char& c, char32_t p) { return c.code == p; };
    Chars& out = scratch.chars;
    out.clear();
    for (auto at = text.begin();;) {
      const auto match = std::search(at, text.end(), pattern_.begin(), pattern_.end(), equal);
      out.insert(out.end(), at, match);
      if (match == text.end()) break;
      at = match + static_cast<ptrdiff_t>(pattern_.size());
      // What is put in stands for the last character of the match.
      for (const char32_t c : content_) out.push_back({c, at[-1].begin, at[-1].end});
    }
    text.swap(out);
  }

 private:
  std::u32string pattern_, content_;
};

class Prepend final : public Normalizer {
 public:
  explicit Prepend(std::u32string content) : content_(std::move(content)) {}
  void apply(Chars& text, NormalizerScratch& scratch) const override {
    if (text.empty()) return;
    scratch.chars.clear();
    for (const char32_t c : content_) scratch.chars.push_back({c, text[0].begin, text[0].end});
    text.insert(text.begin(), scratch.chars.begin(), scratch.chars.end());
  }

 private:
  std::u32string content_;
};

// A string to put into texts. Its length is bounded, for each place of a text may grow by it.
std::u32string insertion(const JsonField& field) {
  const std::string s = field.string();
  if (s.size() > max_pattern) field.fail("should be at most 1024 bytes", Status::unsupported);
  return decode_all(s);
}

}  // namespace

NormalizerPtr make_strip(const JsonField& field) {
  return std::make_unique<Strip>(field.boolean_or("strip_left", true), field.boolean_or("strip_right", true));
}

NormalizerPtr make_replace(const JsonField& field) {
  const JsonField pattern = field.at("pattern");
  if (pattern.find("Regex"))
    pattern.fail("is a Regex, which is not supported (supported: String)", Status::unsupported);
  const std::u32string from = insertion(pattern.at("String"));
  if (from.empty()) pattern.fail("is empty, which is not supported", Status::unsupported);
  return std::make_unique<Replace>(from, insertion(field.at("content")));
}

NormalizerPtr make_prepend(const JsonField& field) {
  return std::make_unique<Prepend>(insertion(field.at("prepend")));
}

}  // namespace quern
