// llama.cpp's vocabulary keys. See from_gguf.h.
#include "tokenizers/from_gguf.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "error.h"
#include "external_vocabulary.h"
#include "gguf/reader.h"
#include "io/json.h"
#include "vocabulary_pre.h"

namespace quern {
namespace {

std::string key(const char* name) {
  return std::string("tokenizer.ggml.") + name;
}

// The id that a key holds, or else that of the first token with this text.
std::optional<size_t> find_id(const GgufReader& file, const ExternalVocabulary& v, const char* name,
                              const char* text = "") {
  if (file.has(key(name))) {
    const uint64_t id = file.get_uint(key(name));
    if (id >= v.pieces.size())
      throw Error(Status::bad_file, file.name() + ": " + key(name) + " names no token of the " +
                                        std::to_string(v.pieces.size()) + " there are");
    return static_cast<size_t>(id);
  }
  const auto found = std::find(v.pieces.begin(), v.pieces.end(), text);
  if (found == v.pieces.end()) return std::nullopt;
  return static_cast<size_t>(found - v.pieces.begin());
}

size_t require_id(const GgufReader& file, const ExternalVocabulary& v, const char* name, const char* text = "") {
  const std::optional<size_t> id = find_id(file, v, name, text);
  if (!id) throw Error(Status::bad_file, file.name() + ": " + key(name) + " names no token");
  return *id;
}

ExternalVocabulary read_vocabulary(const GgufReader& file) {
  ExternalVocabulary v;
  v.file = file.name();
  for (const std::string_view token : file.get_strings(key("tokens"))) v.pieces.emplace_back(token);
  v.kinds.assign(v.pieces.size(), PieceKind::normal);
  if (file.has(key("token_type"))) {
    const std::vector<int64_t> types = file.get_integers(key("token_type"));
    if (types.size() != v.pieces.size())
      throw Error(Status::bad_file, file.name() + ": " + key("token_type") + " has " + std::to_string(types.size()) +
                                        " entries for " + std::to_string(v.pieces.size()) + " tokens");
    for (size_t i = 0; i < types.size(); ++i) v.kinds[i] = static_cast<PieceKind>(types[i]);
  }
  if (file.has(key("scores"))) {
    const auto scores = file.get_array<float>(key("scores"));
    for (size_t i = 0; i < scores.size(); ++i) v.scores.push_back(static_cast<double>(scores[i]));
  }
  if (file.has(key("merges")))
    for (const std::string_view merge : file.get_strings(key("merges"))) v.merges.emplace_back(merge);
  return v;
}

Surround surround_of(const GgufReader& file, const ExternalVocabulary& v, bool add_bos, bool add_eos) {
  Surround s;
  if (file.get_bool_or(key("add_bos_token"), add_bos)) s.before = {require_id(file, v, "bos_token_id", "<s>")};
  if (file.get_bool_or(key("add_eos_token"), add_eos)) s.after = {require_id(file, v, "eos_token_id", "</s>")};
  return s;
}

SpmNormalizer normalizer_of(const GgufReader& file, bool remove_extra_spaces) {
  SpmNormalizer n;
  n.add_space_prefix = file.get_bool_or(key("add_space_prefix"), true);
  n.remove_extra_spaces = file.get_bool_or(key("remove_extra_whitespaces"), remove_extra_spaces);
  if (file.has(key("precompiled_charsmap"))) {
    const std::span<const std::byte> bytes = file.get_array<uint8_t>(key("precompiled_charsmap")).bytes();
    n.charsmap.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return n;
}

std::string from_bert(const GgufReader& file) {
  ExternalVocabulary v = read_vocabulary(file);
  const size_t cls = require_id(file, v, "cls_token_id", "[CLS]"),
               sep = require_id(file, v, "seperator_token_id", "[SEP]"),
               unknown = require_id(file, v, "unknown_token_id", "[UNK]");
  for (size_t i = 0; i < v.pieces.size(); ++i) {
    std::string& piece = v.pieces[i];
    const bool special =
        v.kinds[i] == PieceKind::unknown || v.kinds[i] == PieceKind::control || i == cls || i == sep || i == unknown;
    v.kinds[i] = special ? PieceKind::control : PieceKind::normal;
    if (special) continue;
    if (piece.starts_with(space_mark)) {
      piece.erase(0, space_mark.size());
    } else if (!(piece.starts_with('[') && piece.ends_with(']'))) {
      piece.insert(0, "##");
    }
  }
  BertSettings settings;
  settings.lowercase = file.get_bool_or("tokenizer.ggml.normalizer.lowercase", true);
  settings.unknown = v.pieces[unknown];
  return wordpiece_json(v, settings, {{cls}, {sep}, false});
}

std::string from_gpt2(const GgufReader& file) {
  const ExternalVocabulary v = read_vocabulary(file);
  const std::string pre(file.get_string_or(key("pre"), "default"));
  const BytePreTokenizer& known = byte_pre_tokenizer(pre, file.name());
  Surround s = surround_of(file, v, known.add_bos, known.add_eos);
  s.double_after = known.double_separator;
  return byte_bpe_json(v, pre, s);
}

std::string from_llama(const GgufReader& file) {
  const ExternalVocabulary v = read_vocabulary(file);
  SpmNormalizer n = normalizer_of(file, false);
  return spm_bpe_json(v, require_id(file, v, "unknown_token_id", "<unk>"), n, surround_of(file, v, true, false));
}

std::string from_t5(const GgufReader& file) {
  const ExternalVocabulary v = read_vocabulary(file);
  const bool bytes = std::find(v.kinds.begin(), v.kinds.end(), PieceKind::byte) != v.kinds.end();
  Surround s = surround_of(file, v, false, true);
  s.double_after = !s.before.empty();
  return unigram_json(v, require_id(file, v, "unknown_token_id", "<unk>"), bytes, normalizer_of(file, true), s);
}

constexpr struct {
  const char* model;
  std::string (*make)(const GgufReader& file);
} models[] = {{"bert", from_bert}, {"gpt2", from_gpt2}, {"llama", from_llama}, {"t5", from_t5}};

}  // namespace

std::string tokenizer_json_from_gguf(const GgufReader& file) {
  const std::string_view wanted = file.get_string("tokenizer.ggml.model");
  std::string known;
  for (const auto& [model, make] : models) {
    if (wanted == model) return make(file);
    known += (known.empty() ? "" : ", ") + std::string(model);
  }
  throw Error(Status::unsupported, file.name() + ": tokenizer.ggml.model \"" + printable(wanted) +
                                       "\" is not supported without tokenizer.huggingface.json (supported: " + known +
                                       ")");
}

}  // namespace quern
