// Added tokens. See added_tokens.h.
#include "added_tokens.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "unicode.h"
#include "utf8.h"

namespace quern {
namespace {

constexpr size_t max_content = 1024;  // bytes: a search costs at most text × the longest content

bool has(Utf8Char c, unicode::Flag flag) {
  return (unicode::flags(c.code) & flag) != 0;
}

// Where the white space that ends at `end` starts, but not before `from`.
size_t space_start(std::string_view text, size_t from, size_t end) {
  while (end > from) {
    const Utf8Char c = decode_utf8_before(text.data(), end);
    if (!has(c, unicode::white_space)) break;
    end -= c.size;
  }
  return end;
}

size_t space_end(std::string_view text, size_t begin) {
  while (begin < text.size()) {
    const Utf8Char c = decode_utf8(text.data() + begin);
    if (!has(c, unicode::white_space)) break;
    begin += c.size;
  }
  return begin;
}

bool stands_alone(std::string_view text, size_t begin, size_t end) {
  if (begin > 0 && has(decode_utf8_before(text.data(), begin), unicode::word)) return false;
  return end == text.size() || !has(decode_utf8(text.data() + end), unicode::word);
}

std::string normalize(const std::string& content, const Normalizer& normalizer) {
  Chars chars;
  NormalizerScratch scratch;
  for (size_t i = 0; i < content.size();) {
    const Utf8Char c = decode_utf8(content.data() + i);
    chars.push_back({c.code, 0, 0});
    i += c.size;
  }
  normalizer.apply(chars, scratch);
  std::string out;
  for (const Char& c : chars) {
    char utf8[4];
    out.append(utf8, encode_utf8(c.code, utf8));
  }
  return out;
}

}  // namespace

void TokenMatcher::build(std::vector<AddedToken> tokens) {
  const auto before = [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; };
  const auto same = [](const AddedToken& a, const AddedToken& b) { return a.content == b.content; };
  std::erase_if(tokens, [](const AddedToken& t) { return t.content.empty(); });
  std::stable_sort(tokens.begin(), tokens.end(), before);
  tokens.erase(std::unique(tokens.begin(), tokens.end(), same), tokens.end());
  tokens_ = std::move(tokens);
  for (const AddedToken& t : tokens_) starts_[static_cast<uint8_t>(t.content[0])] = true;
  if (std::count(std::begin(starts_), std::end(starts_), true) == 1) {
    only_start_ = static_cast<uint8_t>(tokens_[0].content[0]);
  }
}

size_t TokenMatcher::find_start(std::string_view text, size_t from) const {
  if (only_start_ >= 0) {
    const void* p = from < text.size() ? std::memchr(text.data() + from, only_start_, text.size() - from) : nullptr;
    return p == nullptr ? text.size() : static_cast<size_t>(static_cast<const char*>(p) - text.data());
  }
  while (from < text.size() && !starts_[static_cast<uint8_t>(text[from])]) ++from;
  return from;
}

// Narrows the sorted contents byte by byte; the shortest of those that share a prefix is the first of them. Special
// ones count only if they end by special_end.
const AddedToken* TokenMatcher::match(std::string_view text, size_t at, size_t special_end) const {
  const AddedToken* best = nullptr;
  auto low = tokens_.begin(), high = tokens_.end();
  for (size_t k = 0;; ++k) {
    if (low != high && low->content.size() == k) {
      if (!low->special || at + k <= special_end) best = &*low;
      ++low;
    }
    if (low == high || at + k == text.size()) return best;
    const uint8_t byte = static_cast<uint8_t>(text[at + k]);
    const auto byte_of = [k](const AddedToken& t) { return static_cast<uint8_t>(t.content[k]); };
    low = std::partition_point(low, high, [&](const AddedToken& t) { return byte_of(t) < byte; });
    high = std::partition_point(low, high, [&](const AddedToken& t) { return byte_of(t) == byte; });
  }
}

void TokenMatcher::split(std::string_view text, std::span<const Span> plain, std::vector<TextPart>& out) const {
  const auto put = [&out](size_t begin, size_t end, int32_t id) {
    if (begin < end) out.push_back({{static_cast<uint32_t>(begin), static_cast<uint32_t>(end)}, id});
  };
  size_t done = 0;
  for (size_t at = tokens_.empty() ? text.size() : find_start(text, 0); at < text.size(); at = find_start(text, at)) {
    while (!plain.empty() && plain[0].end <= at) plain = plain.subspan(1);
    const AddedToken* token = match(text, at, plain.empty() ? text.size() : std::max<size_t>(plain[0].begin, at));
    if (token == nullptr) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + token->content.size();
    at = end;  // also behind a match that does not count, and before what rstrip takes
    if (token->single_word && !stands_alone(text, begin, end)) continue;
    if (token->lstrip) begin = std::max(space_start(text, std::min(done, begin), begin), done);
    if (token->rstrip) end = space_end(text, end);
    put(done, begin, -1);
    put(begin, end, token->id);
    done = end;
  }
  put(done, text.size(), -1);
}

AddedTokens::AddedTokens(const std::optional<JsonField>& field, const Vocabulary& vocab, const Normalizer* normalizer)
    : vocab_size_(vocab.size()) {
  std::vector<AddedToken> specials, others;  // the reference looks for special tokens first
  std::unordered_map<std::string, int32_t> extra_ids;
  for (const JsonField& item : field ? field->items() : std::vector<JsonField>{}) {
    AddedToken token;
    token.content = item.at("content").string();
    if (token.content.empty()) continue;
    if (token.content.size() > max_content) item.fail("has a content above 1024 bytes", Status::unsupported);
    const bool special = item.boolean_or("special", false);
    token.single_word = item.boolean_or("single_word", false);
    token.lstrip = item.boolean_or("lstrip", false);
    token.rstrip = item.boolean_or("rstrip", false);
    token.normalized = item.boolean_or("normalized", !special);
    token.special = special;
    token.id = vocab.find(token.content);
    if (token.id < 0) {
      const auto [it, is_new] = extra_ids.emplace(token.content, static_cast<int32_t>(vocab_size_ + extra_.size()));
      if (is_new) extra_.push_back(token.content);
      token.id = it->second;
    }
    if (special) special_ids_.insert(token.id);
    if (token.lstrip || token.rstrip) spaced_ids_.insert(token.id);
    (special ? specials : others).push_back(std::move(token));
  }
  specials.insert(specials.end(), others.begin(), others.end());
  std::vector<AddedToken> raw_tokens, normalized_tokens;
  for (AddedToken& token : specials) {
    if (token.normalized && normalizer != nullptr) token.content = normalize(token.content, *normalizer);
    (token.normalized ? normalized_tokens : raw_tokens).push_back(std::move(token));
  }
  raw.build(std::move(raw_tokens));
  normalized.build(std::move(normalized_tokens));
}

int32_t AddedTokens::find(std::string_view content) const {
  const auto it = std::find(extra_.begin(), extra_.end(), content);
  return it == extra_.end() ? -1 : static_cast<int32_t>(vocab_size_ + static_cast<size_t>(it - extra_.begin()));
}

}  // namespace quern
