// Lowercase, StripAccents, Nmt, and Unicode's four normal forms.
#include <algorithm>

#include "normalizer.h"
#include "unicode.h"

namespace quern {
namespace {

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

void decompose_to(const Chars& text, bool compatible, std::vector<Rewritten>& out) {
  const uint32_t changes = compatible ? unicode::decomposes_k : unicode::decomposes;
  out.clear();
  for (const Char& c : text) {
    char32_t parts[unicode::longest_decomposition] = {c.code};
    const int n = unicode::flags(c.code) & changes ? unicode::decompose(c.code, compatible, parts) : 1;
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
  void apply(Chars& text, NormalizerScratch& scratch) const override { quern::lowercase(text, scratch); }
};

class StripAccents final : public Normalizer {
 public:
  void apply(Chars& text, NormalizerScratch&) const override {
    std::erase_if(text, [](const Char& c) { return (unicode::flags(c.code) & unicode::mark) != 0; });
  }
};

bool any(const Chars& text, uint32_t flags) {
  return std::any_of(text.begin(), text.end(),
                     [flags](const Char& c) { return (unicode::flags(c.code) & flags) != 0; });
}

void decompose(Chars& text, bool compatible, NormalizerScratch& scratch) {
  if (!any(text, (compatible ? unicode::decomposes_k : unicode::decomposes) | unicode::nonstarter)) return;
  decompose_to(text, compatible, scratch.rewritten);
  rewrite(text, scratch);
}

// NFD, NFC, NFKD, NFKC.
class NormalForm final : public Normalizer {
 public:
  NormalForm(bool composed, bool compatible) : composed_(composed), compatible_(compatible) {}
  void apply(Chars& text, NormalizerScratch& scratch) const override {
    if (!composed_) return decompose(text, compatible_, scratch);
    if (!any(text, compatible_ ? unicode::composes_k : unicode::composes)) return;
    decompose_to(text, compatible_, scratch.rewritten);
    compose(scratch.rewritten);
    rewrite(text, scratch);
  }

 private:
  bool composed_, compatible_;
};

class Nmt final : public Normalizer {
 public:
  void apply(Chars& text, NormalizerScratch&) const override {
    std::erase_if(text, [](const Char& c) { return is_dropped(c.code); });
    for (Char& c : text) {
      if (is_space(c.code)) c.code = U' ';
    }
  }

 private:
  static bool is_dropped(char32_t c) {
    return (c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
  }
  static bool is_space(char32_t c) {
    if (c < 0x80) return c == 0x9 || c == 0xA || c == 0xC || c == 0xD;
    return c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
           c == 0xFFFD;
  }
};

}  // namespace

void rewrite(Chars& text, NormalizerScratch& scratch) {
  Chars& out = scratch.chars;
  out.clear();
  size_t next = 0;
  for (const Rewritten& r : scratch.rewritten) {
    if (r.change > 0 && next == 0) {  // put in before the first character
      out.push_back({r.code, scratch.begin, scratch.begin});
      continue;
    }
    const Char& old = text[std::min(r.change > 0 ? next - 1 : next, text.size() - 1)];
    out.push_back({r.code, old.begin, old.end});
    if (r.change <= 0) next += 1 + static_cast<size_t>(-r.change);
  }
  text.swap(out);
}

void decompose(Chars& text, NormalizerScratch& scratch) {
  decompose(text, false, scratch);
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
  return std::make_unique<NormalForm>(false, false);
}
NormalizerPtr make_nfc(const JsonField&) {
  return std::make_unique<NormalForm>(true, false);
}
NormalizerPtr make_nfkd(const JsonField&) {
  return std::make_unique<NormalForm>(false, true);
}
NormalizerPtr make_nfkc(const JsonField&) {
  return std::make_unique<NormalForm>(true, true);
}
NormalizerPtr make_nmt(const JsonField&) {
  return std::make_unique<Nmt>();
}

}  // namespace quern
