// BPE. See bpe.h.
#include "bpe.h"

#include <algorithm>

#include "byte_pieces.h"
#include "merge_table.h"
#include "utf8.h"

namespace quern {
namespace {

using Symbol = ModelScratch::Symbol;

// Above so many symbols a heap finds the next merge; below, a scan of all pairs is faster.
constexpr size_t long_word = 40;
constexpr size_t min_cut = 16;  // characters; shorter words are not cut
constexpr size_t joined_bytes = size_t{1} << 17;

// Of a pair of characters in joined_: a bit that others may share.
size_t joined_bit(char32_t a, char32_t b) {
  const uint64_t pair = uint64_t{a} << 32 | b;
  return static_cast<size_t>(pair * 0x9E3779B97F4A7C15 >> 44);
}
constexpr char32_t n_direct = 0x3000;  // characters whose piece is found without a hash

class Bpe final : public TokenModel {
 public:
  Bpe(const JsonField& field, TokenizerDocument& document);
  void tokenize(const Char* word, size_t n, ModelScratch& s, std::vector<Token>& out) const override;
  void save(const TableSink& sink) const override;

 private:
  void read_merges(const JsonField& field, const MergeList& list);
  void find_whole_pieces();
  void find_joined_chars(const MergeList& list);
  bool may_cut(const Char& a, const Char& b) const;
  void tokenize_word(const Char* word, size_t n, ModelScratch& s, std::vector<Token>& out) const;
  int32_t piece_of(const Char& c, bool first, bool last, std::string& bytes) const;
  void start(const Char* word, size_t n, ModelScratch& s) const;
  bool add_bytes(std::string_view bytes, std::vector<Symbol>& symbols) const;
  void merge_short(std::vector<Symbol>& symbols) const;
  void merge_long(ModelScratch& s) const;
  void tokenize_by_merges(const Char* word, size_t n, ModelScratch& s, std::vector<Token>& out) const;
  bool is_whole(int32_t id) const {
    return (whole_[static_cast<size_t>(id) >> 3] >> (static_cast<size_t>(id) & 7) & 1) != 0;
  }

  MergeTable merges_;
  PackedTable<uint8_t> whole_;  // one bit per piece: the merges make the piece alone of its own text
  // Bits by pairs of characters: set where a merge joins them. A long word can be cut between two others, for nothing
  // reaches over the cut: a text that is one word, as in SentencePiece's way, falls apart. Empty: no cutting.
  PackedTable<uint8_t> joined_;
  std::string prefix_, suffix_;
  bool fuse_unknown_, ignore_merges_;
  std::unique_ptr<const BytePieces> byte_pieces_;  // null without byte_fallback
  std::vector<int32_t> direct_;                    // by character, below n_direct; -1 where there is no piece
};

Bpe::Bpe(const JsonField& field, TokenizerDocument& document)
    : TokenModel(std::move(document.vocab)),
      prefix_(field.string_or("continuing_subword_prefix", "")),
      suffix_(field.string_or("end_of_word_suffix", "")),
      fuse_unknown_(field.boolean_or("fuse_unk", false)),
      ignore_merges_(field.boolean_or("ignore_merges", false)) {
  if (const auto dropout = field.find("dropout"); dropout && dropout->number() != 0) {
    dropout->fail("is above 0: merges at random are for training", Status::unsupported);
  }
  if (field.find("unk_token")) unknown_ = unknown_id(field, "", vocab_);
  if (field.boolean_or("byte_fallback", false)) byte_pieces_ = std::make_unique<const BytePieces>(vocab_);
  direct_.resize(n_direct);
  for (char32_t c = 0; c < n_direct; ++c) {
    char utf8[4];
    direct_[c] = vocab_.find({utf8, encode_utf8(c, utf8)});
  }
  if (document.tables == nullptr) {
    read_merges(field, document.merges);
    find_whole_pieces();
    find_joined_chars(document.merges);
    return;
  }
  merges_.view(vocab_.size(), *document.tables);
  whole_ = document.tables->get<uint8_t>("whole_pieces");
  if (whole_.size() != (vocab_.size() + 7) / 8) {
    document.tables->fail("whole_pieces", "has " + std::to_string(whole_.size()) + " bytes for " +
                                              std::to_string(vocab_.size()) + " pieces");
  }
  joined_ = document.tables->get<uint8_t>("joined_chars");
  if (joined_.size() != 0 && joined_.size() != joined_bytes) {
    document.tables->fail("joined_chars", "has " + std::to_string(joined_.size()) + " bytes, expected 0 or " +
                                              std::to_string(joined_bytes));
  }
}

void Bpe::save(const TableSink& sink) const {
  TokenModel::save(sink);
  merges_.save(sink);
  sink("whole_pieces", whole_.bytes());
  sink("joined_chars", joined_.bytes());
}

void Bpe::read_merges(const JsonField& field, const MergeList& list) {
  std::vector<Merge> merges;
  std::string whole;
  for (size_t i = 0; i < list.size(); ++i) {
    const auto id = [&](std::string_view piece) {
      const int32_t found = vocab_.find(piece);
      if (found < 0) {
        field.fail("merges[" + std::to_string(i) + "] needs the piece \"" + std::string(piece) +
                   "\", which is not in the vocab");
      }
      return found;
    };
    const std::string_view left = list.left(i), right = list.right(i);
    if (right.size() < prefix_.size()) {
      field.fail("merges[" + std::to_string(i) + "] has a second piece shorter than continuing_subword_prefix");
    }
    whole.assign(left).append(right.substr(prefix_.size()));
    merges.push_back(
        {static_cast<uint32_t>(id(left)), static_cast<uint32_t>(id(right)), static_cast<uint32_t>(i), id(whole)});
  }
  merges_.build(merges);
}

// Most words of a text are one piece; these bits let a look-up take the place of their merges.
void Bpe::find_whole_pieces() {
  std::vector<uint8_t> bits((vocab_.size() + 7) / 8, ignore_merges_ ? 0xFF : 0);
  ModelScratch scratch;
  Chars word;
  std::vector<Token> tokens;
  for (size_t id = 0; id < vocab_.size() && !ignore_merges_; ++id) {
    const std::string_view piece = vocab_.piece(static_cast<int32_t>(id));
    if (piece.empty()) continue;
    word.clear();
    for (size_t i = 0; i < piece.size();) {
      const Utf8Char c = decode_utf8(piece.data() + i);
      word.push_back({c.code, 0, 0});
      i += c.size;
    }
    tokens.clear();
    word_bytes(word.data(), word.size(), true, scratch);
    tokenize_by_merges(word.data(), word.size(), scratch, tokens);
    if (tokens.size() == 1 && tokens[0].id == static_cast<int32_t>(id)) {
      bits[id >> 3] = static_cast<uint8_t>(bits[id >> 3] | 1 << (id & 7));
    }
  }
  whole_ = PackedTable<uint8_t>(std::move(bits));
}

// Left empty where a character may be dropped or joined by other means than its own text: marks of words' parts, pieces
// that stand for bytes, unknown characters without a token.
void Bpe::find_joined_chars(const MergeList& list) {
  const bool drops = unknown_ < 0 && (byte_pieces_ == nullptr || !byte_pieces_->complete());
  if (drops || ignore_merges_ || !prefix_.empty() || !suffix_.empty()) return;
  std::vector<uint8_t> bits(joined_bytes);
  for (size_t i = 0; i < list.size(); ++i) {
    for (const std::string_view part : {list.left(i), list.right(i)}) {
      const int32_t id = vocab_.find(part);
      if (id == unknown_ || (byte_pieces_ != nullptr && byte_pieces_->is_one(part))) return;
    }
    const std::string piece = std::string(list.left(i)).append(list.right(i));
    Utf8Char before = decode_utf8(piece.data());
    for (size_t at = before.size; at < piece.size();) {
      const Utf8Char c = decode_utf8(piece.data() + at);
      const size_t bit = joined_bit(before.code, c.code);
      bits[bit >> 3] = static_cast<uint8_t>(bits[bit >> 3] | 1 << (bit & 7));
      before = c;
      at += c.size;
    }
  }
  joined_ = PackedTable<uint8_t>(std::move(bits));
}

// Between two neighbours in a word: both have pieces, and no merge joins them.
bool Bpe::may_cut(const Char& a, const Char& b) const {
  const size_t bit = joined_bit(a.code, b.code);
  if ((joined_[bit >> 3] >> (bit & 7) & 1) != 0) return false;
  for (const char32_t code : {a.code, b.code}) {
    char utf8[4];
    if (code < n_direct ? direct_[code] < 0 : vocab_.find({utf8, encode_utf8(code, utf8)}) < 0) return false;
  }
  return true;
}

// The piece of a character as it stands in its word, or -1; bytes: its text where it is not in direct_.
int32_t Bpe::piece_of(const Char& c, bool first, bool last, std::string& bytes) const {
  const bool plain = (first || prefix_.empty()) && (!last || suffix_.empty());
  if (plain && c.code < n_direct && direct_[c.code] >= 0) return direct_[c.code];
  char utf8[4];
  bytes.assign(first ? "" : prefix_).append(utf8, encode_utf8(c.code, utf8));
  if (last) bytes += suffix_;
  return vocab_.find(bytes);
}

// False, and nothing added, if the vocabulary lacks one of the bytes.
bool Bpe::add_bytes(std::string_view bytes, std::vector<Symbol>& symbols) const {
  if (byte_pieces_ == nullptr || !byte_pieces_->have(bytes)) return false;
  for (const char byte : bytes) symbols.push_back({byte_pieces_->id(byte), 1});
  return true;
}

// The characters' tokens. An unknown one is held back until a known one comes, as the reference does: bytes pass it by.
void Bpe::start(const Char* word, size_t n, ModelScratch& s) const {
  std::vector<Symbol>& symbols = s.symbols;
  symbols.clear();
  uint32_t unknown_size = 0;
  const auto flush = [&] {
    if (unknown_size > 0) symbols.push_back({unknown_, unknown_size});
    unknown_size = 0;
  };
  for (size_t i = 0; i < n; ++i) {
    const int32_t id = piece_of(word[i], i == 0, i + 1 == n, s.piece);
    char utf8[4];
    const uint32_t size = static_cast<uint32_t>(encode_utf8(word[i].code, utf8));
    if (id >= 0) {
      flush();
      symbols.push_back({id, size});
    } else if (!add_bytes(s.piece, symbols) && unknown_ >= 0) {
      if (!fuse_unknown_) flush();
      unknown_size += size;
    }
  }
  flush();
}

void Bpe::merge_short(std::vector<Symbol>& symbols) const {
  size_t n = symbols.size();
  if (n < 2) return;
  Merge pair[long_word + 1];  // of symbols i and i + 1; the last has none
  for (size_t i = 0; i + 1 < n; ++i) pair[i] = merges_.find(symbols[i].id, symbols[i + 1].id);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i) best = pair[i].rank < pair[best].rank ? i : best;
    if (pair[best].rank == MergeTable::no_rank) break;
    symbols[best] = {pair[best].id, symbols[best].size + symbols[best + 1].size};
    --n;
    for (size_t i = best + 1; i < n; ++i) symbols[i] = symbols[i + 1];
    for (size_t i = best + 1; i + 1 < n; ++i) pair[i] = pair[i + 1];
    if (best + 1 < n) pair[best] = merges_.find(symbols[best].id, symbols[best + 1].id);
    if (best > 0) pair[best - 1] = merges_.find(symbols[best - 1].id, symbols[best].id);
  }
  symbols.resize(n);
}

// The same by a heap of (rank, place), of which an entry counts while it is still that place's rank: O(n log n).
void Bpe::merge_long(ModelScratch& s) const {
  std::vector<Symbol>& symbols = s.symbols;
  const uint32_t n = static_cast<uint32_t>(symbols.size());
  s.links.resize(n);
  s.heap.clear();
  const auto look = [&](uint32_t i) {  // at the pair that i begins
    const uint32_t next = s.links[i].next;
    const Merge m = next < n ? merges_.find(symbols[i].id, symbols[next].id) : Merge{0, 0, MergeTable::no_rank, -1};
    s.links[i].rank = m.rank;
    s.links[i].merged = m.id;
    return m.rank != MergeTable::no_rank;
  };
  const auto key = [&](uint32_t i) { return uint64_t{s.links[i].rank} << 32 | i; };
  for (uint32_t i = 0; i < n; ++i) s.links[i] = {i - 1, i + 1, MergeTable::no_rank, -1};
  for (uint32_t i = 0; i + 1 < n; ++i)
    if (look(i)) s.heap.push_back(key(i));
  std::make_heap(s.heap.begin(), s.heap.end(), std::greater<>());
  const auto push = [&](uint32_t i) {
    if (!look(i)) return;
    s.heap.push_back(key(i));
    std::push_heap(s.heap.begin(), s.heap.end(), std::greater<>());
  };
  while (!s.heap.empty()) {
    std::pop_heap(s.heap.begin(), s.heap.end(), std::greater<>());
    const uint64_t top = s.heap.back();
    s.heap.pop_back();
    const uint32_t i = static_cast<uint32_t>(top);
    if (s.links[i].rank != top >> 32) continue;
    const uint32_t gone = s.links[i].next, after = s.links[gone].next;
    symbols[i] = {s.links[i].merged, symbols[i].size + symbols[gone].size};
    symbols[gone].size = 0;
    s.links[gone].rank = MergeTable::no_rank;
    s.links[i].next = after;
    if (after < n) s.links[after].previous = i;
    push(i);
    if (i > 0) push(s.links[i].previous);
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.size == 0; });
}

// Of a word whose bytes are in s. Offsets run on by each token's size, whatever was dropped, as in the reference.
void Bpe::tokenize_by_merges(const Char* word, size_t n, ModelScratch& s, std::vector<Token>& out) const {
  start(word, n, s);
  if (s.symbols.size() <= long_word) {
    merge_short(s.symbols);
  } else {
    merge_long(s);
  }
  const size_t last = s.char_of.size() - 1;
  size_t at = 0;
  for (const Symbol& symbol : s.symbols) {
    const size_t begin = std::min(at, last), end = std::min(at + symbol.size - 1, last);
    out.push_back({symbol.id, word[s.char_of[begin]].begin, word[s.char_of[end]].end});
    at += symbol.size;
  }
}

void Bpe::tokenize_word(const Char* word, size_t n, ModelScratch& s, std::vector<Token>& out) const {
  word_bytes(word, n, true, s);
  if (s.bytes.size() <= vocab_.table().longest()) {
    const int32_t id = vocab_.find(s.bytes);
    if (id >= 0 && is_whole(id)) {
      out.push_back({id, word[0].begin, word[n - 1].end});
      return;
    }
  }
  tokenize_by_merges(word, n, s, out);
}

void Bpe::tokenize(const Char* word, size_t n, ModelScratch& s, std::vector<Token>& out) const {
  size_t begin = 0;
  for (size_t i = 1; i < n && n > min_cut && joined_.size() != 0; ++i) {
    if (!may_cut(word[i - 1], word[i])) continue;
    tokenize_word(word + begin, i - begin, s, out);
    begin = i;
  }
  tokenize_word(word + begin, n - begin, s, out);
}

}  // namespace

std::unique_ptr<const TokenModel> make_bpe(const JsonField& field, TokenizerDocument& document) {
  return std::make_unique<Bpe>(field, document);
}

}  // namespace quern
