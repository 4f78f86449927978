// ExternalVocabulary files to a tokenizer.json, by family. See hf_tokenizer.h.
#include "hub/hf_tokenizer.h"

#include <algorithm>

#include "hub/hf_json.h"
#include "hub/tokenizer_family.h"
#include "tokenizers/external_vocabulary.h"
#include "tokenizers/sentencepiece.h"

namespace quern {
namespace {

constexpr size_t max_vocabulary_bytes = size_t{512} << 20;

// What is needed of tokenizer_config.json, with transformers' defaults where it is silent or absent.
struct Settings {
  std::optional<JsonFile> file;
  std::string family;  // "Bert" of BertTokenizerFast, or config.json's model_type in their place

  bool flag(const char* key, bool absent) const { return file ? file->boolean(key).value_or(absent) : absent; }
  // A token: a string, or an object with its content.
  std::string token(const char* key, const char* absent) const {
    const nlohmann::json* value = file ? file->find(key) : nullptr;
    if (value != nullptr && value->is_object()) {
      const auto content = value->find("content");
      value = content == value->end() ? nullptr : &*content;
    }
    if (value == nullptr) return absent;
    if (!value->is_string()) file->wrong(key, "a token");
    return value->get<std::string>();
  }
};

Settings read_settings(const HfFolder::ReadFile& read, const HfFolder& folder) {
  Settings s;
  s.file = read_json(folder.dir, read, join_path(folder.transformer_folder, "tokenizer_config.json"));
  s.family = tokenizer_family(s.file ? &*s.file : nullptr, folder.model_type);
  return s;
}

// Without their ends, LF or CR LF.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    if (lines.back().ends_with('\r')) lines.back().pop_back();
    at = end + 1;
  }
  return lines;
}

size_t id_of(const ExternalVocabulary& v, const std::string& piece) {
  const auto found = std::find(v.pieces.begin(), v.pieces.end(), piece);
  if (found == v.pieces.end())
    throw Error(Status::bad_file, v.file + ": has no token \"" + printable(piece) + "\", which the tokenizer needs");
  return static_cast<size_t>(found - v.pieces.begin());
}

void mark_special(ExternalVocabulary& v, const std::string& piece) {
  const auto found = std::find(v.pieces.begin(), v.pieces.end(), piece);
  if (found != v.pieces.end()) v.kinds[static_cast<size_t>(found - v.pieces.begin())] = PieceKind::control;
}

void add(ExternalVocabulary& v, const std::string& piece, PieceKind kind, double score = 0) {
  v.pieces.push_back(piece);
  v.kinds.push_back(kind);
  v.scores.push_back(score);
}

// The settings' added_tokens_decoder: {"151643": {"content": …, "special": …}}, those behind the vocabulary in order.
void add_tokens(const Settings& s, ExternalVocabulary& v) {
  const nlohmann::json* list = s.file ? s.file->find("added_tokens_decoder") : nullptr;
  if (list == nullptr) return;
  if (!list->is_object()) s.file->wrong("added_tokens_decoder", "an object");
  std::map<size_t, const nlohmann::json*> by_id;
  for (auto it = list->begin(); it != list->end(); ++it) {
    size_t id = 0, digits = 0;
    for (const char c : it.key()) {
      if (c < '0' || c > '9' || ++digits > 9) s.file->wrong("added_tokens_decoder", "an object by ids");
      id = id * 10 + static_cast<size_t>(c - '0');
    }
    if (!it->is_object() || !it->contains("content") || !it->at("content").is_string())
      s.file->wrong("added_tokens_decoder", "an object of tokens with a content");
    by_id[id] = &*it;
  }
  for (const auto& [id, token] : by_id) {
    const std::string content = token->at("content").get<std::string>();
    const auto flag = [&, t = token](const char* key) { return t->contains(key) && t->at(key) == true; };
    const PieceKind kind = flag("special") ? PieceKind::control : PieceKind::user_defined;
    if (id > v.pieces.size()) s.file->wrong("added_tokens_decoder", "without gaps after the vocabulary");
    if (id == v.pieces.size()) {
      v.pieces.push_back(content);
      v.kinds.push_back(kind);
      if (!v.scores.empty()) v.scores.push_back(0);
    } else if (v.pieces[id] == content) {
      v.kinds[id] = kind;
    }
    if (flag("lstrip")) v.lstrip.push_back(id);
  }
}

std::string from_vocab_txt(const std::string& text, ExternalVocabulary v, const Settings& s) {
  v.pieces = lines_of(text);
  v.kinds.assign(v.pieces.size(), PieceKind::normal);
  BertSettings bert;
  bert.unknown = s.token("unk_token", "[UNK]");
  bert.lowercase = s.flag("do_lower_case", true);
  bert.chinese_chars = s.flag("tokenize_chinese_chars", true);
  if (s.file && s.file->find("strip_accents")) bert.strip_accents = s.flag("strip_accents", true);
  const std::string cls = s.token("cls_token", "[CLS]"), sep = s.token("sep_token", "[SEP]");
  for (const std::string& piece :
       {bert.unknown, cls, sep, s.token("pad_token", "[PAD]"), s.token("mask_token", "[MASK]")})
    mark_special(v, piece);
  add_tokens(s, v);
  id_of(v, bert.unknown);
  return wordpiece_json(v, bert, {{id_of(v, cls)}, {id_of(v, sep)}, false});
}

// vocab.json {piece: id} and merges.txt, "a b" a line after a line "#version".
std::string from_vocab_json(const nlohmann::json& vocab, const std::string& merges, ExternalVocabulary v,
                            const Settings& s) {
  if (!vocab.is_object()) throw Error(Status::bad_file, v.file + ": no JSON object");
  v.pieces.resize(vocab.size());
  std::vector<bool> seen(vocab.size());
  for (auto it = vocab.begin(); it != vocab.end(); ++it) {
    const bool fits = it->is_number_unsigned() && it->get<uint64_t>() < vocab.size();
    if (!fits || seen[it->get<size_t>()])
      throw Error(Status::bad_file, v.file + ": \"" + printable(it.key()) + "\" should have an id from 0 to " +
                                        std::to_string(vocab.size() - 1) + " of its own");
    seen[it->get<size_t>()] = true;
    v.pieces[it->get<size_t>()] = it.key();
  }
  v.kinds.assign(v.pieces.size(), PieceKind::normal);
  for (std::string& line : lines_of(merges))
    if (!line.empty() && !line.starts_with("#version")) v.merges.push_back(std::move(line));
  constexpr std::string_view roberta_kin[] = {"roberta", "bart", "longformer", "led"};
  if (std::find(std::begin(roberta_kin), std::end(roberta_kin), s.family) != std::end(roberta_kin)) {
    const std::string cls = s.token("cls_token", "<s>"), sep = s.token("sep_token", "</s>"),
                      mask = s.token("mask_token", "<mask>");
    for (const std::string& piece : {cls, sep, mask, s.token("pad_token", "<pad>"), s.token("unk_token", "<unk>")})
      mark_special(v, piece);
    add_tokens(s, v);
    v.lstrip.push_back(id_of(v, mask));
    return byte_bpe_json(v, "roberta-bpe", {{id_of(v, cls)}, {id_of(v, sep)}, true});
  }
  if (s.family != "gpt2" && s.family != "qwen2" && s.family != "qwen3")
    throw Error(Status::unsupported, v.file + ": how a tokenizer of the family \"" + printable(s.family) +
                                         "\" cuts texts is not known (known: gpt2, qwen2, qwen3, roberta, bart, "
                                         "longformer, led); transformers' AutoTokenizer can save tokenizer.json");
  mark_special(v, s.token("eos_token", "<|endoftext|>"));
  add_tokens(s, v);
  return byte_bpe_json(v, s.family == "gpt2" ? "gpt-2" : "qwen2", {});
}

// fairseq's order of XLM-RoBERTa's special tokens, in place of SentencePiece's three; the mask is the last.
std::string from_xlm_roberta(SentencePieceModel m, const Settings& s) {
  ExternalVocabulary v;
  v.file = m.vocabulary.file;
  for (const char* piece : {"<s>", "<pad>", "</s>"}) add(v, piece, PieceKind::control);
  add(v, "<unk>", PieceKind::unknown);
  for (size_t i = 3; i < m.vocabulary.pieces.size(); ++i)
    add(v, m.vocabulary.pieces[i], PieceKind::normal, m.vocabulary.scores[i]);
  add(v, s.token("mask_token", "<mask>"), PieceKind::control);
  v.lstrip = {v.pieces.size() - 1};
  add_tokens(s, v);
  m.normalizer.splits_at_white_space = true;
  return unigram_json(v, 3, false, m.normalizer, {{0}, {2}, true});
}

std::string from_t5(SentencePieceModel m, const Settings& s) {
  ExternalVocabulary& v = m.vocabulary;
  size_t n_extra = 100;
  if (s.file) n_extra = s.file->count("extra_ids", 0, 10000).value_or(n_extra);
  for (size_t i = n_extra; i-- > 0;) add(v, "<extra_id_" + std::to_string(i) + ">", PieceKind::control);
  add_tokens(s, v);
  m.normalizer.splits_at_white_space = true;
  return unigram_json(v, m.unknown, false, m.normalizer, {{}, {id_of(v, s.token("eos_token", "</s>"))}, false});
}

std::string from_llama(SentencePieceModel m, const Settings& s) {
  ExternalVocabulary& v = m.vocabulary;
  const bool gemma = s.family.starts_with("gemma");
  if (gemma) m.normalizer.add_space_prefix = false;
  m.normalizer.charsmap.clear();  // transformers leaves it out
  add_tokens(s, v);
  Surround around;
  if (s.flag("add_bos_token", true)) around.before = {id_of(v, s.token("bos_token", gemma ? "<bos>" : "<s>"))};
  if (s.flag("add_eos_token", false)) around.after = {id_of(v, s.token("eos_token", gemma ? "<eos>" : "</s>"))};
  return spm_bpe_json(v, m.unknown, m.normalizer, around);
}

std::string from_deberta(SentencePieceModel m, const Settings& s) {
  ExternalVocabulary& v = m.vocabulary;
  for (const char* unknown_here : {"do_lower_case", "split_by_punct"})
    if (s.flag(unknown_here, false))
      throw Error(Status::unsupported, v.file + ": DeBERTa's tokenizer with " + unknown_here +
                                           " is not known; transformers' AutoTokenizer can save tokenizer.json");
  const std::string cls = s.token("cls_token", "[CLS]"), sep = s.token("sep_token", "[SEP]"),
                    mask = s.token("mask_token", "[MASK]");
  for (const std::string& piece : {cls, sep, s.token("pad_token", "[PAD]")}) mark_special(v, piece);
  if (std::find(v.pieces.begin(), v.pieces.end(), mask) == v.pieces.end()) add(v, mask, PieceKind::control);
  add_tokens(s, v);
  m.normalizer.strips_first = true;
  return unigram_json(v, m.unknown, false, m.normalizer, {{id_of(v, cls)}, {id_of(v, sep)}, false, true});
}

std::string from_sentencepiece(const std::string& bytes, const std::string& name, const Settings& s) {
  SentencePieceModel m = read_sentencepiece(bytes, name);
  const bool unigram = m.type == SentencePieceModel::Type::unigram;
  constexpr struct {
    const char* family;
    bool unigram;
    std::string (*make)(SentencePieceModel, const Settings&);
  } families[] = {{"xlmroberta", true, from_xlm_roberta},
                  {"debertav2", true, from_deberta},
                  {"t5", true, from_t5},
                  {"mt5", true, from_t5},
                  {"umt5", true, from_t5},
                  {"llama", false, from_llama},
                  {"mistral", false, from_llama},
                  {"gemma", false, from_llama},
                  {"gemma2", false, from_llama}};
  std::string known;
  for (const auto& f : families) {
    known += (known.empty() ? "" : ", ") + std::string(f.family);
    if (s.family != f.family) continue;
    if (unigram != f.unigram)
      throw Error(Status::bad_file, name + ": is of SentencePiece's type " + (unigram ? "unigram" : "bpe") + ", but " +
                                        s.family + " has the other");
    return f.make(std::move(m), s);
  }
  throw Error(Status::unsupported, name + ": how a tokenizer of the family \"" + printable(s.family) +
                                       "\" uses it is not known (known: " + known +
                                       "); transformers' AutoTokenizer can save tokenizer.json");
}

}  // namespace

std::optional<std::string> build_tokenizer_json(const HfFolder::ReadFile& read, HfFolder& folder) {
  const Settings settings = read_settings(read, folder);
  const auto file = [&](const char* name) {
    return read(join_path(folder.transformer_folder, name), max_vocabulary_bytes);
  };
  const auto named = [&](const char* name) {
    ExternalVocabulary v;
    v.file = folder.dir + "/" + join_path(folder.transformer_folder, name);
    return v;
  };
  const auto decide = [&](const std::string& source) {
    folder.decisions.push_back({"tokenizer", "built", source + ": there is no tokenizer.json"});
  };
  for (const char* name :
       {"sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "sentencepiece.model", "spm.model"}) {
    if (const auto bytes = file(name)) {
      decide(name);
      return from_sentencepiece(*bytes, named(name).file, settings);
    }
  }
  if (const auto text = file("vocab.txt")) {
    decide("vocab.txt");
    return from_vocab_txt(*text, named("vocab.txt"), settings);
  }
  const auto vocab = file("vocab.json");
  if (!vocab) return std::nullopt;
  const auto merges = file("merges.txt");
  if (!merges) throw Error(Status::not_found, folder.dir + ": there is vocab.json, but merges.txt is missing");
  decide("vocab.json and merges.txt");
  const ExternalVocabulary v = named("vocab.json");
  return from_vocab_json(parse_json(*vocab, v.file), *merges, v, settings);
}

}  // namespace quern
