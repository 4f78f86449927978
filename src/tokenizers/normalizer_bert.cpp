// BertNormalizer: cleaning, spaces around CJK ideographs, accents off, lower case, in this order.
#include <algorithm>

#include "normalizer.h"
#include "unicode.h"

namespace quern {
namespace {

void clean(Chars& text) {
  size_t kept = 0;
  for (const Char& c : text) {
    const uint32_t flags = unicode::flags(c.code);
    if (flags & unicode::removed) continue;
    text[kept] = c;
    if (flags & unicode::to_space) text[kept].code = U' ';
    ++kept;
  }
  text.resize(kept);
}

void space_cjk(Chars& text, NormalizerScratch& scratch) {
  const auto is_cjk = [](const Char& c) { return (unicode::flags(c.code) & unicode::cjk) != 0; };
  if (std::none_of(text.begin(), text.end(), is_cjk)) return;
  scratch.chars.clear();
  for (const Char& c : text) {
    const bool cjk = is_cjk(c);
    if (cjk) scratch.chars.push_back({U' ', c.begin, c.end});
    scratch.chars.push_back(c);
    if (cjk) scratch.chars.push_back({U' ', c.begin, c.end});
  }
  text.swap(scratch.chars);
}

class BertNormalizer final : public Normalizer {
 public:
  explicit BertNormalizer(const JsonField& field)
      : clean_text_(field.boolean_or("clean_text", true)),
        handle_chinese_chars_(field.boolean_or("handle_chinese_chars", true)),
        lowercase_(field.boolean_or("lowercase", true)),
        strip_accents_(field.boolean_or("strip_accents", lowercase_)) {}

  void apply(Chars& text, NormalizerScratch& scratch) const override {
    if (clean_text_) clean(text);
    if (handle_chinese_chars_) space_cjk(text, scratch);
    if (strip_accents_) {
      decompose(text, scratch);
      std::erase_if(text, [](const Char& c) { return (unicode::flags(c.code) & unicode::bert_mark) != 0; });
    }
    if (lowercase_) quern::lowercase(text, scratch);
  }

 private:
  bool clean_text_, handle_chinese_chars_, lowercase_, strip_accents_;
};

}  // namespace

NormalizerPtr make_bert_normalizer(const JsonField& field) {
  return std::make_unique<BertNormalizer>(field);
}

}  // namespace quern
