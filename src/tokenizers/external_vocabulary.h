// Vocabularies from files other than tokenizer.json, and the tokenizer.json that is made of them: what transformers'
// converters make of the same vocabulary. Says nothing about the files' formats.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

inline constexpr std::string_view space_mark = "\xE2\x96\x81";  // U+2581, for a space in SentencePiece's pieces

// As SentencePiece numbers them, and GGUF after it.
enum class PieceKind : int32_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct ExternalVocabulary {
  std::string file;  // for messages
  std::vector<std::string> pieces;
  std::vector<PieceKind> kinds;     // of the same length
  std::vector<double> scores;       // likewise, or empty
  std::vector<std::string> merges;  // "a b", in order of rank
  std::vector<size_t> lstrip;       // added tokens that take the white space before them
};

// The ids put before and after a text.
struct Surround {
  std::vector<size_t> before, after;
  bool double_after = false;  // a pair is joined as RoBERTa does: A </s> </s> B </s>
  bool as_bert = false;       // … as BERT does: A [SEP] B [SEP], the second text of type 1
};

// What SentencePiece does to a text first.
struct SpmNormalizer {
  std::string charsmap;  // bytes; empty: none
  bool add_space_prefix = true, remove_extra_spaces = true;
  bool splits_at_white_space = false;  // Unigram: any white space is as good as a space, and runs of it as one
  bool strips_first = false;           // Unigram: white space at both ends goes before anything else is done
};

// Each throws Error bad_file for an id that there is not and for kinds or scores of another length.

// pre: names of splits as llama.cpp knows them; an unknown one is Error unsupported.
std::string byte_bpe_json(const ExternalVocabulary& vocabulary, const std::string& pre, const Surround& surround);
// SentencePiece's BPE: the scores say in which order pieces were merged.
std::string spm_bpe_json(const ExternalVocabulary& vocabulary, size_t unknown, const SpmNormalizer& normalizer,
                         const Surround& surround);
std::string unigram_json(const ExternalVocabulary& vocabulary, size_t unknown, bool byte_fallback,
                         const SpmNormalizer& normalizer, const Surround& surround);

struct BertSettings {
  bool lowercase = true, chinese_chars = true;
  int strip_accents = -1;  // -1: as lowercase
  std::string unknown = "[UNK]";
};
// before: [CLS], after: [SEP].
std::string wordpiece_json(const ExternalVocabulary& vocabulary, const BertSettings& settings,
                           const Surround& surround);

}  // namespace quern
