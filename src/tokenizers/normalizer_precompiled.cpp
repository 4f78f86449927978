// Precompiled: what SentencePiece's charsmap makes of a text, in the reference's reading of it.
#include <array>

#include "charsmap.h"
#include "grapheme.h"
#include "normalizer.h"
#include "utf8.h"

namespace quern {
namespace {

constexpr size_t max_base64 = size_t{16} << 20;
constexpr size_t whole_cluster = 6;  // bytes; clusters below it are looked up as one

class Precompiled final : public Normalizer {
 public:
  explicit Precompiled(Charsmap map) : map_(std::move(map)) {
    for (char32_t c = 0; c < 128; ++c) {
      const char byte = static_cast<char>(c);
      unchanged_[c] = c != '\r' && !map_.find({&byte, 1});
    }
  }

  void apply(Chars& text, NormalizerScratch& scratch) const override {
    std::vector<Rewritten>& out = scratch.rewritten;
    out.clear();
    bool changed = false;
    const size_t n = text.size();
    for (size_t i = 0; i < n;) {
      const auto is_plain = [&](size_t k) { return text[k].code < 128 && unchanged_[text[k].code]; };
      if (is_plain(i) && (i + 1 == n || text[i + 1].code < 128)) {  // no ASCII character extends another but CR LF
        out.push_back({text[i++].code, 0});
        continue;
      }
      const size_t end = grapheme_end(text.data(), n, i);
      changed = cluster(text.data() + i, end - i, scratch) || changed;
      i = end;
    }
    if (changed) rewrite(text, scratch);
  }

 private:
  bool cluster(const Char* chars, size_t n, NormalizerScratch& scratch) const {
    char bytes[whole_cluster + 4];
    size_t size = 0, k = 0;
    for (; k < n && size < whole_cluster; ++k) size += encode_utf8(chars[k].code, bytes + size);
    if (size < whole_cluster && put({bytes, size}, n, scratch)) return true;
    bool changed = false;
    for (k = 0; k < n; ++k) {
      if (put({bytes, encode_utf8(chars[k].code, bytes)}, 1, scratch)) {
        changed = true;
      } else {
        scratch.rewritten.push_back({chars[k].code, 0});
      }
    }
    return changed;
  }

  // Puts in what stands for n_old characters, if the map has them. As in the reference, what is dropped counts for the
  // character before, and for none at the beginning.
  bool put(std::string_view key, size_t n_old, NormalizerScratch& scratch) const {
    const auto replacement = map_.find(key);
    if (!replacement) return false;
    std::vector<Rewritten>& out = scratch.rewritten;
    check_growth(out.size() + replacement->size() / 4, scratch.most);
    size_t n_new = 0;
    for (size_t i = 0; i < replacement->size(); ++n_new) {
      const Utf8Char c = decode_utf8(replacement->data() + i);
      out.push_back({c.code, n_new < n_old ? 0 : 1});
      i += c.size;
    }
    if (n_new < n_old && !out.empty()) out.back().change -= static_cast<int32_t>(n_old - n_new);
    return true;
  }

  Charsmap map_;
  std::array<bool, 128> unchanged_;
};

}  // namespace

NormalizerPtr make_precompiled(const JsonField& field) {
  const JsonField map = field.at("precompiled_charsmap");
  const std::string base64 = map.string();
  if (base64.size() > max_base64) map.fail("should be at most 16 MB of base64", Status::unsupported);
  return std::make_unique<Precompiled>(Charsmap(decode_base64(base64, map), map));
}

}  // namespace quern
