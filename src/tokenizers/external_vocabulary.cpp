// The tokenizer.json of a vocabulary: the parts that families share. See external_vocabulary.h.
#include "external_vocabulary.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "error.h"
#include "io/json.h"
#include "utf8.h"
#include "vocabulary.h"
#include "vocabulary_pre.h"

namespace quern {
namespace {

using Json = nlohmann::json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void check(const ExternalVocabulary& v) {
  const size_t n = v.pieces.size();
  const auto wrong = [&](const char* what, size_t size) {
    throw Error(Status::bad_file,
                v.file + ": has " + std::to_string(size) + " " + what + " for " + std::to_string(n) + " tokens");
  };
  if (v.kinds.size() != n) wrong("token types", v.kinds.size());
  if (!v.scores.empty() && v.scores.size() != n) wrong("scores", v.scores.size());
}

const std::string& piece(const ExternalVocabulary& v, size_t id, const char* what) {
  if (id >= v.pieces.size())
    throw Error(Status::bad_file, v.file + ": the " + what + " token is " + std::to_string(id) + ", but there are " +
                                      std::to_string(v.pieces.size()) + " tokens");
  return v.pieces[id];
}

Json added_tokens(const ExternalVocabulary& v) {
  Json added = Json::array();
  for (size_t id = 0; id < v.pieces.size(); ++id) {
    const PieceKind kind = v.kinds[id];
    if (kind != PieceKind::unknown && kind != PieceKind::control && kind != PieceKind::user_defined) continue;
    added.push_back({{"id", id},
                     {"content", v.pieces[id]},
                     {"single_word", false},
                     {"lstrip", std::find(v.lstrip.begin(), v.lstrip.end(), id) != v.lstrip.end()},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", kind != PieceKind::user_defined}});
  }
  return added;
}

// second_type: the type id of a pair's second text.
Json template_processing(const ExternalVocabulary& v, const Surround& s, int second_type) {
  Json names = Json::object();
  const auto part = [&](size_t id, int type) {
    const std::string& name = piece(v, id, "special");
    names[name] = {{"id", name}, {"ids", {id}}, {"tokens", {name}}};
    return Json{{"SpecialToken", {{"id", name}, {"type_id", type}}}};
  };
  const auto text = [](const char* which, int type) { return Json{{"Sequence", {{"id", which}, {"type_id", type}}}}; };
  Json single = Json::array();
  for (const size_t id : s.before) single.push_back(part(id, 0));
  single.push_back(text("A", 0));
  for (const size_t id : s.after) single.push_back(part(id, 0));
  Json pair = single;
  if (s.double_after) {
    for (const size_t id : s.after) pair.push_back(part(id, 0));
  } else if (second_type == 0) {
    for (const size_t id : s.before) pair.push_back(part(id, 0));
  }
  pair.push_back(text("B", second_type));
  for (const size_t id : s.after) pair.push_back(part(id, second_type));
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", names}};
}

// All but the model, whose vocabulary is too long for a JSON value.
Json stages(const ExternalVocabulary& v, Json normalizer, Json pre_tokenizer, Json post_processor, Json decoder) {
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added_tokens(v)},
          {"normalizer", std::move(normalizer)},
          {"pre_tokenizer", std::move(pre_tokenizer)},
          {"post_processor", std::move(post_processor)},
          {"decoder", std::move(decoder)}};
}

std::string vocab_object(const ExternalVocabulary& v) {
  std::string text = "{";
  for (size_t id = 0; id < v.pieces.size(); ++id) {
    if (id > 0) text += ',';
    text += dump(v.pieces[id]) + ':' + std::to_string(id);
  }
  return text + '}';
}

// model: its settings; long_parts: ,"key":value… that follow them.
std::string finished(const Json& stages, const Json& model, const std::string& long_parts) {
  std::string text = dump(stages), settings = dump(model);
  text.pop_back();
  settings.pop_back();
  return text + ",\"model\":" + settings + long_parts + "}}";
}

Json replace(const Json& pattern, std::string_view content) {
  return {{"type", "Replace"}, {"pattern", pattern}, {"content", content}};
}

std::string base64(std::string_view bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < n ? static_cast<uint8_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) text += k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

struct ScoredMerge {
  double score;
  uint32_t left_chars, right_chars;
  int32_t left, right;
};

// Every way to make a piece of two others, those of higher scores first, as transformers orders them.
std::vector<ScoredMerge> merges_from_scores(const ExternalVocabulary& v) {
  Vocabulary vocab;
  for (size_t id = 0; id < v.pieces.size(); ++id) vocab.add(v.pieces[id], static_cast<int64_t>(id));
  if (const std::string wrong = vocab.build(); !wrong.empty())
    throw Error(Status::bad_file, v.file + ": the vocabulary " + printable(wrong));
  std::vector<ScoredMerge> merges;
  std::vector<uint64_t> hashes, powers = {1};
  for (size_t id = 0; id < v.pieces.size(); ++id) {
    const std::string& text = v.pieces[id];
    const size_t n = text.size(), n_before = merges.size();
    hashes.assign(1, 0);
    for (const char c : text) hashes.push_back(PieceHash::append(hashes.back(), c));
    while (powers.size() <= n) powers.push_back(powers.back() * PieceHash::base);
    uint32_t n_chars = 0, chars = 0;
    for (const char c : text) n_chars += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
    for (size_t at = 1; at < n; ++at) {
      chars += (static_cast<uint8_t>(text[at - 1]) & 0xC0) != 0x80;
      if ((static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) continue;
      const int32_t left = vocab.table().find(vocab, text.data(), at, hashes[at]);
      if (left < 0) continue;
      const uint64_t hash = hashes[n] - hashes[at] * powers[n - at];
      const int32_t right = vocab.table().find(vocab, text.data() + at, n - at, hash);
      if (right >= 0) merges.push_back({v.scores[id], chars, n_chars - chars, left, right});
    }
    std::sort(merges.begin() + static_cast<ptrdiff_t>(n_before), merges.end(),
              [](const auto& a, const auto& b) { return std::pair(a.left, a.right) < std::pair(b.left, b.right); });
  }
  std::stable_sort(merges.begin(), merges.end(), [](const ScoredMerge& a, const ScoredMerge& b) {
    return std::tuple(a.score, a.left_chars, a.right_chars) > std::tuple(b.score, b.left_chars, b.right_chars);
  });
  return merges;
}

}  // namespace

std::string byte_bpe_json(const ExternalVocabulary& v, const std::string& pre, const Surround& surround) {
  check(v);
  const BytePreTokenizer& split = byte_pre_tokenizer(pre, v.file);
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  const bool surrounds = !surround.before.empty() || !surround.after.empty();
  Json post = byte_level;
  post["trim_offsets"] = false;
  if (surrounds) post = template_processing(v, surround, 0);
  const Json all = stages(v, Json::parse(split.normalizer), Json::parse(split.pre_tokenizer), post, byte_level);
  std::string merges = "[";
  for (const std::string& merge : v.merges) merges += (merges.size() > 1 ? "," : "") + dump(merge);
  const Json model = {{"type", "BPE"}, {"ignore_merges", split.ignore_merges}};
  return finished(all, model, ",\"vocab\":" + vocab_object(v) + ",\"merges\":" + merges + ']');
}

std::string spm_bpe_json(const ExternalVocabulary& v, size_t unknown, const SpmNormalizer& normalizer,
                         const Surround& surround) {
  check(v);
  if (v.scores.empty()) throw Error(Status::bad_file, v.file + ": has no scores, from which the merges follow");
  Json normalizers = Json::array(), decoders = Json::array();
  if (!normalizer.charsmap.empty())
    normalizers.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", base64(normalizer.charsmap)}});
  if (normalizer.add_space_prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", space_mark}});
  normalizers.push_back(replace({{"String", " "}}, space_mark));
  decoders.push_back(replace({{"String", space_mark}}, " "));
  decoders.push_back({{"type", "ByteFallback"}});
  decoders.push_back({{"type", "Fuse"}});
  if (normalizer.add_space_prefix) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  const Json all = stages(v, {{"type", "Sequence"}, {"normalizers", normalizers}}, nullptr,
                          template_processing(v, surround, 0), {{"type", "Sequence"}, {"decoders", decoders}});
  const Json model = {
      {"type", "BPE"}, {"unk_token", piece(v, unknown, "unknown")}, {"fuse_unk", true}, {"byte_fallback", true}};
  std::string merges = "[";
  for (const ScoredMerge& m : merges_from_scores(v)) {
    merges += merges.size() > 1 ? ",[" : "[";
    merges += dump(v.pieces[static_cast<size_t>(m.left)]) + ',' + dump(v.pieces[static_cast<size_t>(m.right)]) + ']';
  }
  return finished(all, model, ",\"vocab\":" + vocab_object(v) + ",\"merges\":" + merges + ']');
}

std::string unigram_json(const ExternalVocabulary& v, size_t unknown, bool byte_fallback,
                         const SpmNormalizer& normalizer, const Surround& surround) {
  check(v);
  if (v.scores.empty()) throw Error(Status::bad_file, v.file + ": has no scores, which Unigram needs");
  piece(v, unknown, "unknown");
  Json normalizers = Json::array();
  if (normalizer.strips_first) normalizers.push_back({{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}});
  if (!normalizer.charsmap.empty())
    normalizers.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", base64(normalizer.charsmap)}});
  if (normalizer.strips_first) {
    normalizers.push_back(replace({{"Regex", " {2,}"}}, " "));
  } else if (normalizer.remove_extra_spaces && !normalizer.splits_at_white_space) {
    normalizers.push_back({{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}});
    normalizers.push_back(replace({{"Regex", " {2,}"}}, space_mark));
  }
  const Json metaspace = {{"type", "Metaspace"},
                          {"replacement", space_mark},
                          {"prepend_scheme", normalizer.add_space_prefix ? "always" : "never"},
                          {"split", true}};
  Json decoder = metaspace, pre_tokenizer = metaspace;
  if (normalizer.splits_at_white_space) {
    pre_tokenizer = {{"type", "Sequence"}, {"pretokenizers", {Json{{"type", "WhitespaceSplit"}}, metaspace}}};
  }
  if (byte_fallback) decoder = {{"type", "Sequence"}, {"decoders", {Json{{"type", "ByteFallback"}}, metaspace}}};
  const Json all = stages(v, {{"type", "Sequence"}, {"normalizers", normalizers}}, pre_tokenizer,
                          template_processing(v, surround, surround.as_bert ? 1 : 0), decoder);
  std::string vocab = "[";
  for (size_t id = 0; id < v.pieces.size(); ++id) {
    vocab += id > 0 ? ",[" : "[";
    vocab += dump(v.pieces[id]) + ',' + dump(v.scores[id]) + ']';
  }
  const Json model = {{"type", "Unigram"}, {"unk_id", unknown}, {"byte_fallback", byte_fallback}};
  return finished(all, model, ",\"vocab\":" + vocab + ']');
}

std::string wordpiece_json(const ExternalVocabulary& v, const BertSettings& settings, const Surround& surround) {
  check(v);
  const Json normalizer = {{"type", "BertNormalizer"},
                           {"clean_text", true},
                           {"handle_chinese_chars", settings.chinese_chars},
                           {"strip_accents", settings.strip_accents < 0 ? Json() : Json(settings.strip_accents != 0)},
                           {"lowercase", settings.lowercase}};
  const Json all = stages(v, normalizer, {{"type", "BertPreTokenizer"}}, template_processing(v, surround, 1),
                          {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}});
  const Json model = {{"type", "WordPiece"},
                      {"unk_token", settings.unknown},
                      {"continuing_subword_prefix", "##"},
                      {"max_input_chars_per_word", 100}};
  return finished(all, model, ",\"vocab\":" + vocab_object(v));
}

}  // namespace quern
