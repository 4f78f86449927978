// Lowercase, StripAccents, NFD and NFC.
#include <algorithm>

#include "normalizer.h"
#include "unicode.h"

namespace quern {
namespace {

// Puts the rewritten characters in text's place, each with the bytes of the old character it stands for.
void rewrite(Chars& text, NormalizerScratch& scratch) {
  Chars& out = scratch.chars;
  out.clear();
  size_t next = 0;
  for (const Rewritten& r : scratch.rewritten) {
    const Char& old = text[std::min(r.change > 0 && next > 0 ? next - 1 : next, text.size() - 1)];
    out.push_back({r.code, old.begin, old.end});
    if (r.change <= 0) next += 1 + static_cast<size_t>(-r.change);
  }
  text.swap(out);
}

// The canonical order: each run of characters with classes other than 0 is sorted by class, ties kept in order.
void order_marks(std::vector<Rewritten>& chars) {
  const auto is_nonstarter = [](const Rewritten& r) { return (unicode::flags(r.code) & unicode::nonstarter) != 0; };
  const auto by_class = [](const Rewritten& a, const Rewritten& b) {
    return unicode::combining_class(a.code) < unicode::combining_class(b.code);
  };
  for (auto run = chars.begin(); (run = std::find_if(run, chars.end(), is_nonstarter)) != chars.end();) {
    const auto end = std::find_if_not(run, chars.end(), is_nonstarter);
    if (end - run > 1) std::stable_sort(run, end, by_class);
    run = end;
  }
}

void decompose_to(const Chars& text, std::vector<Rewritten>& out) {
  out.clear();
  for (const Char& c : text) {
    char32_t parts[4] = {c.code};
    const int n = unicode::flags(c.code) & unicode::decomposes ? unicode::decompose(c.code, parts) : 1;
    for (int i = 0; i < n; ++i) out.push_back({parts[i], i > 0});
  }
  order_marks(out);
}

// Canonical composition of decomposed, ordered text, in place. A composite stands for all that its parts stood for.
void compose(std::vector<Rewritten>& text) {
  size_t n = 0, starter = SIZE_MAX;
  int last_class = -1;  // of what lies between the starter and here; -1: nothing
  for (size_t i = 0; i < text.size(); ++i) {
    const Rewritten c = text[i];
    const int c_class = unicode::flags(c.code) & unicode::nonstarter ? unicode::combining_class(c.code) : 0;
    const char32_t composed =
        starter != SIZE_MAX && last_class < c_class ? unicode::compose(text[starter].code, c.code) : 0;
    if (composed != 0) {
      text[starter] = {composed, text[starter].change + c.change - 1};
      continue;
    }
    if (c_class == 0) {
      starter = n;
      last_class = -1;
    } else {
      last_class = c_class;
    }
    text[n++] = c;
  }
  text.resize(n);
}

class Lowercase final : public Normalizer {
 public:
  void apply(Chars& text, NormalizerScratch& scratch) const override { lowercase(text, scratch); }
};

class StripAccents final : public Normalizer {
 public:
  void apply(Chars& text, NormalizerScratch&) const override {
    std::erase_if(text, [](const Char& c) { return (unicode::flags(c.code) & unicode::mark) != 0; });
  }
};

class Nfd final : public Normalizer {
 public:
  void apply(Chars& text, NormalizerScratch& scratch) const override { decompose(text, scratch); }
};

class Nfc final : public Normalizer {
 public:
  void apply(Chars& text, NormalizerScratch& scratch) const override {
    decompose_to(text, scratch.rewritten);
    compose(scratch.rewritten);
    rewrite(text, scratch);
  }
};

}  // namespace

void decompose(Chars& text, NormalizerScratch& scratch) {
  const auto changes = [](const Char& c) {
    return (unicode::flags(c.code) & (unicode::decomposes | unicode::nonstarter)) != 0;
  };
  if (std::none_of(text.begin(), text.end(), changes)) return;
  decompose_to(text, scratch.rewritten);
  rewrite(text, scratch);
}

void lowercase(Chars& text, NormalizerScratch& scratch) {
  bool grows = false;
  for (Char& c : text) {
    if (!(unicode::flags(c.code) & unicode::lowers)) continue;
    grows = grows || c.code == unicode::dotted_capital_i;
    if (c.code != unicode::dotted_capital_i) c.code = unicode::lower(c.code);
  }
  if (!grows) return;
  scratch.chars.clear();
  for (const Char& c : text) {
    scratch.chars.push_back({unicode::lower(c.code), c.begin, c.end});
    if (c.code == unicode::dotted_capital_i) {
      scratch.chars.push_back({unicode::combining_dot_above, c.begin, c.end});
    }
  }
  text.swap(scratch.chars);
}

NormalizerPtr make_lowercase(const JsonField&) {
  return std::make_unique<Lowercase>();
}
NormalizerPtr make_strip_accents(const JsonField&) {
  return std::make_unique<StripAccents>();
}
NormalizerPtr make_nfd(const JsonField&) {
  return std::make_unique<Nfd>();
}
NormalizerPtr make_nfc(const JsonField&) {
  return std::make_unique<Nfc>();
}

}  // namespace quern
