// See llama_vocabulary.h. What tokenizers/from_gguf.cpp reads, written.
#include "convert/llama_vocabulary.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "chat/chat_format.h"
#include "io/json.h"
#include "tokenizers/byte_pieces.h"
#include "tokenizers/charsmap.h"
#include "tokenizers/external_vocabulary.h"
#include "tokenizers/vocabulary_pre.h"

namespace quern {
namespace {

using Json = nlohmann::json;
constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581

std::string key(std::string_view name) {
  return "tokenizer.ggml." + std::string(name);
}

// The steps of a stage that may be a sequence of them.
std::vector<Json> steps(const Json& stage, const char* parts) {
  if (!stage.is_object()) return {};
  if (stage.value("type", "") == "Sequence") return stage.value(parts, std::vector<Json>());
  return {stage};
}

Json member(const Json& object, const char* name) {
  return object.contains(name) ? object.at(name) : Json();
}

// Token texts and kinds by id, and what is put around a text.
struct Tokens {
  ExternalVocabulary v;
  std::vector<int32_t> before, after;  // ids
};

Tokens tokens_of(const LlamaVocabularySource& source, const Json& json) {
  Tokens t;
  const size_t n = static_cast<size_t>(source.rows), known = source.tokenizer.vocab_size();
  t.v.pieces.resize(n);
  t.v.kinds.assign(n, PieceKind::normal);
  for (size_t id = 0; id < n; ++id) {
    t.v.pieces[id] = source.tokenizer.piece(static_cast<int32_t>(id));
    if (id < known) continue;
    t.v.pieces[id] = "[PAD" + std::to_string(id) + "]";
    t.v.kinds[id] = PieceKind::unused;
  }
  for (const Json& token : json.value("added_tokens", Json::array()))
    if (const int32_t id = source.tokenizer.id(token.value("content", "")); id >= 0 && id < source.rows)
      t.v.kinds[static_cast<size_t>(id)] = token.value("special", false) ? PieceKind::control : PieceKind::user_defined;
  Encoding e;
  source.tokenizer.encode("a", {}, e);
  const auto first = std::find(e.special_mask.begin(), e.special_mask.end(), 0);
  for (size_t i = 0; i < e.ids.size(); ++i)
    if (e.special_mask[i])
      (static_cast<ptrdiff_t>(i) < first - e.special_mask.begin() ? t.before : t.after).push_back(e.ids[i]);
  return t;
}

// Ids that transformers' settings name, but for those that a text really gets.
void write_specials(GgufWriter& file, const LlamaVocabularySource& source, const Tokens& t) {
  std::map<std::string, int32_t> ids;
  for (const auto& [name, variable] : special_token_names)
    if (const auto found = source.specials.find(variable); found != source.specials.end())
      if (const int32_t id = source.tokenizer.id(found->second); id >= 0 && id < source.rows) ids[name] = id;
  if (!t.before.empty()) ids["bos_token_id"] = t.before[0];
  if (!t.after.empty()) ids["eos_token_id"] = t.after[0];
  for (const auto& [name, id] : ids) file.set_u32(key(name), static_cast<uint32_t>(id));
  file.set_bool(key("add_bos_token"), !t.before.empty());
  file.set_bool(key("add_eos_token"), !t.after.empty());
}

void write_tokens(GgufWriter& file, const ExternalVocabulary& v) {
  std::vector<int32_t> kinds;
  for (const PieceKind kind : v.kinds) kinds.push_back(static_cast<int32_t>(kind));
  file.set_strings(key("tokens"), std::span<const std::string>(v.pieces));
  file.set_array(key("token_type"), std::span<const int32_t>(kinds));
  if (v.scores.empty()) return;
  const std::vector<float> scores(v.scores.begin(), v.scores.end());
  file.set_array(key("scores"), std::span<const float>(scores));
}

bool write_bert(GgufWriter& file, const LlamaVocabularySource& source, const Json& json) {
  const std::string mark = json.at("model").value("continuing_subword_prefix", "##");
  Tokens t = tokens_of(source, json);
  for (size_t i = 0; i < t.v.pieces.size(); ++i) {
    std::string& piece = t.v.pieces[i];
    if (t.v.kinds[i] == PieceKind::user_defined) t.v.kinds[i] = PieceKind::normal;
    if (t.v.kinds[i] != PieceKind::normal || (piece.starts_with('[') && piece.ends_with(']'))) continue;
    piece = piece.starts_with(mark) ? piece.substr(mark.size()) : std::string(kSpace) + piece;
  }
  constexpr struct {
    const char *key, *piece;
  } named[] = {{"bos_token_id", "[CLS]"},  {"cls_token_id", "[CLS]"},     {"seperator_token_id", "[SEP]"},
               {"eos_token_id", "[SEP]"},  {"unknown_token_id", "[UNK]"}, {"padding_token_id", "[PAD]"},
               {"mask_token_id", "[MASK]"}};
  file.set_string(key("model"), "bert");
  file.set_string(key("pre"), "jina-v2-en");
  for (const auto& [name, piece] : named)
    if (const int32_t id = source.tokenizer.id(piece); id >= 0) file.set_u32(key(name), static_cast<uint32_t>(id));
  file.set_u32(key("token_type_count"), static_cast<uint32_t>(source.types));
  write_tokens(file, t.v);
  return true;
}

// Merges as pairs, in either of tokenizer.json's forms.
std::vector<std::pair<std::string, std::string>> merges_of(const Json& model) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (const Json& merge : model.value("merges", Json::array())) {
    if (merge.is_array() && merge.size() == 2) {
      merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
    } else if (merge.is_string()) {
      const std::string text = merge.get<std::string>();
      const size_t space = text.find(' ');
      if (space != std::string::npos) merges.emplace_back(text.substr(0, space), text.substr(space + 1));
    }
  }
  return merges;
}

bool write_gpt2(GgufWriter& file, const LlamaVocabularySource& source, const Json& json) {
  const Json& model = json.at("model");
  const Tokens t = tokens_of(source, json);
  const BytePreTokenizer* split = find_byte_pre_tokenizer(member(json, "normalizer"), member(json, "pre_tokenizer"),
                                                          model.value("ignore_merges", false), !t.after.empty());
  if (!split || t.before.size() > 1 || t.after.size() > 1) return false;
  std::vector<std::string> merges;
  for (const auto& [left, right] : merges_of(model)) merges.push_back(left + ' ' + right);
  file.set_string(key("model"), "gpt2");
  file.set_string(key("pre"), first_name(*split));
  write_tokens(file, t.v);
  file.set_strings(key("merges"), std::span<const std::string>(merges));
  write_specials(file, source, t);
  return true;
}

// What SentencePiece does to a text first, read off the stages; none where they do something else.
std::optional<SpmNormalizer> spm_normalizer(const Json& json) {
  SpmNormalizer n{.charsmap = "", .add_space_prefix = false, .remove_extra_spaces = false};
  bool marks = false;
  for (const Json& step : steps(member(json, "normalizer"), "normalizers")) {
    const std::string type = step.value("type", "");
    const Json pattern = member(step, "pattern");
    if (type == "Precompiled") {
      const std::string file = "tokenizer.json";
      n.charsmap =
          decode_base64(step.value("precompiled_charsmap", ""), JsonField(&step, "precompiled_charsmap", &file));
    } else if (type == "Prepend" && step.value("prepend", "") == kSpace) {
      n.add_space_prefix = true;
    } else if (type == "Replace" && pattern == Json{{"String", " "}} && step.value("content", "") == kSpace) {
      marks = true;
    } else if (type == "Replace" && pattern == Json{{"Regex", " {2,}"}}) {
      n.remove_extra_spaces = true;
    } else if (type != "Strip") {
      return std::nullopt;
    }
  }
  for (const Json& step : steps(member(json, "pre_tokenizer"), "pretokenizers")) {
    const std::string type = step.value("type", "");
    if (type == "Metaspace" && step.value("replacement", "") == kSpace) {
      marks = true;
      n.add_space_prefix =
          step.value("prepend_scheme", step.value("add_prefix_space", true) ? "always" : "never") != "never";
    } else if (type == "WhitespaceSplit") {
      n.remove_extra_spaces = true;
    } else if (type != "Split" || member(step, "pattern") != Json{{"String", " "}}) {
      return std::nullopt;
    }
  }
  return marks ? std::optional(n) : std::nullopt;
}

// Scores in whose order the merges come: minus a piece's rank among those that merges make. False where some piece's
// merges lie apart, so that no scores have this order. Added tokens do not count: they are found before any merge.
bool scores_from_merges(const LlamaVocabularySource& source, const Json& model, ExternalVocabulary& v) {
  std::vector<double>& scores = v.scores;
  scores.assign(v.pieces.size(), -1e6);
  std::string last;
  double rank = 0;
  std::vector<bool> made(scores.size(), false);
  for (const auto& [left, right] : merges_of(model)) {
    const std::string piece = left + right;
    if (piece == last) continue;
    const int32_t id = source.tokenizer.id(piece);
    if (id < 0 || id >= source.rows) return false;
    if (v.kinds[static_cast<size_t>(id)] != PieceKind::normal) continue;
    if (made[static_cast<size_t>(id)]) return false;
    made[static_cast<size_t>(id)] = true;
    scores[static_cast<size_t>(id)] = -rank++;
    last = piece;
  }
  return true;
}

void write_spm(GgufWriter& file, const LlamaVocabularySource& source, Tokens& t, const char* model, int32_t unknown,
               bool byte_fallback, const SpmNormalizer& normalizer) {
  for (size_t i = 0; i < t.v.pieces.size(); ++i)
    if (byte_fallback && BytePieces::is_one(t.v.pieces[i])) t.v.kinds[i] = PieceKind::byte;
  t.v.kinds[static_cast<size_t>(unknown)] = PieceKind::unknown;
  file.set_string(key("model"), model);
  file.set_string(key("pre"), "default");
  write_tokens(file, t.v);
  write_specials(file, source, t);
  file.set_bool(key("add_space_prefix"), normalizer.add_space_prefix);
  file.set_bool(key("remove_extra_whitespaces"), normalizer.remove_extra_spaces);
  if (!normalizer.charsmap.empty())
    file.set_array(key("precompiled_charsmap"),
                   std::span<const uint8_t>(reinterpret_cast<const uint8_t*>(normalizer.charsmap.data()),
                                            normalizer.charsmap.size()));
}

bool write_llama(GgufWriter& file, const LlamaVocabularySource& source, const Json& json) {
  const Json& model = json.at("model");
  const std::optional<SpmNormalizer> normalizer = spm_normalizer(json);
  Tokens t = tokens_of(source, json);
  const int32_t unknown = source.tokenizer.id(
      model.contains("unk_token") && model["unk_token"].is_string() ? model["unk_token"].get<std::string>() : "");
  const bool fits = normalizer && normalizer->charsmap.empty() && !normalizer->remove_extra_spaces && unknown >= 0 &&
                    unknown < source.rows && t.before.size() <= 1 && t.after.size() <= 1;
  if (!fits || !scores_from_merges(source, model, t.v)) return false;
  write_spm(file, source, t, "llama", unknown, true, *normalizer);
  return true;
}

bool write_bpe(GgufWriter& file, const LlamaVocabularySource& source, const Json& json) {
  const bool spm = json.at("model").value("byte_fallback", false);
  return spm ? write_llama(file, source, json) : write_gpt2(file, source, json);
}

bool write_unigram(GgufWriter& file, const LlamaVocabularySource& source, const Json& json) {
  const Json& model = json.at("model");
  const std::optional<SpmNormalizer> normalizer = spm_normalizer(json);
  Tokens t = tokens_of(source, json);
  const int64_t unknown = model.contains("unk_id") && model["unk_id"].is_number() ? model["unk_id"].get<int64_t>() : -1;
  // llama.cpp's Unigram cuts at spaces.
  const std::vector<Json> split = steps(member(json, "pre_tokenizer"), "pretokenizers");
  const bool cuts =
      !split.empty() && split.back().value("type", "") == "Metaspace" && split.back().value("split", true);
  if (!normalizer || !cuts || unknown < 0 || unknown >= source.rows || t.before.size() > 1 || t.after.size() > 1)
    return false;
  t.v.scores.assign(t.v.pieces.size(), -1e6);
  size_t id = 0;
  for (const Json& entry : model.at("vocab"))
    if (id < t.v.scores.size()) t.v.scores[id++] = entry.at(1).get<double>();
  write_spm(file, source, t, "t5", static_cast<int32_t>(unknown), model.value("byte_fallback", false), *normalizer);
  return true;
}

constexpr struct {
  const char* type;  // of tokenizer.json's model
  bool (*write)(GgufWriter& file, const LlamaVocabularySource& source, const Json& json);
} models[] = {{"WordPiece", write_bert}, {"BPE", write_bpe}, {"Unigram", write_unigram}};

}  // namespace

bool write_llama_vocabulary(GgufWriter& file, const LlamaVocabularySource& source) {
  const Json json = parse_json(source.json, "tokenizer.json");
  const std::string type = json.at("model").value("type", "WordPiece");
  for (const auto& [name, write] : models)
    if (type == name) return write(file, source, json);
  return false;
}

}  // namespace quern
