// Metaspace: spaces become a visible character, which also starts words.
#include "pre_tokenizer.h"

namespace quern {
namespace {

enum class Prepend { always, first, never };

class Metaspace final : public PreTokenizer {
 public:
  Metaspace(char32_t replacement, Prepend prepend, bool split)
      : replacement_(replacement), prepend_(prepend), split_(split) {}

  void apply(Words& words) const override {
    Chars& out = words.chars;
    out.clear();
    words.scratch.clear();
    for (const Span word : words.spans) {
      const Char& first = words.text[word.begin];
      uint32_t begin = static_cast<uint32_t>(out.size());
      if (first.code != U' ' && first.code != replacement_ && prepends_to(first)) {
        out.push_back({replacement_, first.begin, first.end});
      }
      for (uint32_t i = word.begin; i < word.end; ++i) {
        Char c = words.text[i];
        if (c.code == U' ') c.code = replacement_;
        const uint32_t at = static_cast<uint32_t>(out.size());
        if (split_ && c.code == replacement_ && at > begin) {
          words.scratch.push_back({begin, at});
          begin = at;
        }
        out.push_back(c);
      }
      words.scratch.push_back({begin, static_cast<uint32_t>(out.size())});
    }
    words.text.swap(out);
    words.spans.swap(words.scratch);
  }

 private:
  bool prepends_to(const Char& first) const {
    return prepend_ == Prepend::always || (prepend_ == Prepend::first && first.begin == 0);
  }

  char32_t replacement_;
  Prepend prepend_;
  bool split_;
};

Prepend prepend_of(const JsonField& field) {
  const std::string scheme = field.string_or("prepend_scheme", "always");
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    field.at("prepend_scheme").fail("is \"" + scheme + "\"; expected always, first or never");
  }
  // What files said before there were schemes.
  if (!field.boolean_or("add_prefix_space", true)) {
    if (field.find("prepend_scheme") && scheme != "never") {
      field.fail("says add_prefix_space false, but prepend_scheme \"" + scheme + "\"");
    }
    return Prepend::never;
  }
  return scheme == "always" ? Prepend::always : scheme == "first" ? Prepend::first : Prepend::never;
}

}  // namespace

PreTokenizerPtr make_metaspace(const JsonField& field) {
  return std::make_unique<Metaspace>(field.at("replacement").character(), prepend_of(field),
                                     field.boolean_or("split", true));
}

}  // namespace quern
