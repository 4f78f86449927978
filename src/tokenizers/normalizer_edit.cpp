// Strip, Replace, Prepend and ByteLevel: edits that know nothing of Unicode but white space.
#include <algorithm>

#include "byte_level_text.h"
#include "normalizer.h"
#include "pattern.h"
#include "unicode.h"
#include "utf8.h"

namespace quern {
namespace {

constexpr size_t max_insertion = 1024;  // bytes

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
  Replace(PatternPtr pattern, std::u32string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}

  void apply(Chars& text, NormalizerScratch& scratch) const override {
    scratch.matches.clear();
    if (!text.empty()) pattern_->find(text.data(), {0, static_cast<uint32_t>(text.size())}, scratch.matches);
    if (scratch.matches.empty()) return;
    Chars& out = scratch.chars;
    out.clear();
    uint32_t done = 0;
    for (const Span match : scratch.matches) {
      out.insert(out.end(), text.begin() + done, text.begin() + match.begin);
      // What is put in stands for the last character of the match, or for the one before an empty match.
      const Char last = match.end > 0 ? text[match.end - 1] : Char{0, scratch.begin, scratch.begin};
      for (const char32_t c : content_) out.push_back({c, last.begin, last.end});
      check_growth(out.size(), scratch.most);
      done = match.end;
    }
    out.insert(out.end(), text.begin() + done, text.end());
    text.swap(out);
  }

 private:
  PatternPtr pattern_;
  std::u32string content_;
};

class PrependNormalizer final : public Normalizer {
 public:
  explicit PrependNormalizer(std::u32string content) : content_(std::move(content)) {}
  void apply(Chars& text, NormalizerScratch& scratch) const override {
    if (text.empty()) return;
    check_growth(text.size() + content_.size(), scratch.most);
    scratch.chars.clear();
    for (const char32_t c : content_) scratch.chars.push_back({c, text[0].begin, text[0].end});
    text.insert(text.begin(), scratch.chars.begin(), scratch.chars.end());
  }

 private:
  std::u32string content_;
};

class ByteLevelNormalizer final : public Normalizer {
 public:
  void apply(Chars& text, NormalizerScratch& scratch) const override {
    scratch.chars.clear();
    for (const Char& c : text) append_bytes(c, scratch.chars);
    text.swap(scratch.chars);
  }
};

// A string to put into texts. Its length is bounded, for each place of a text may grow by it.
std::u32string insertion(const JsonField& field) {
  const std::string s = field.string();
  if (s.size() > max_insertion) field.fail("should be at most 1024 bytes", Status::unsupported);
  return decode_utf8(s);
}

}  // namespace

NormalizerPtr make_strip(const JsonField& field) {
  return std::make_unique<Strip>(field.boolean_or("strip_left", true), field.boolean_or("strip_right", true));
}

NormalizerPtr make_replace(const JsonField& field) {
  return std::make_unique<Replace>(make_pattern(field.at("pattern")), insertion(field.at("content")));
}

NormalizerPtr make_prepend(const JsonField& field) {
  return std::make_unique<PrependNormalizer>(insertion(field.at("prepend")));
}

NormalizerPtr make_byte_level_normalizer(const JsonField&) {
  return std::make_unique<ByteLevelNormalizer>();
}

}  // namespace quern
