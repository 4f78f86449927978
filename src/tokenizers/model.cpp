// The table of models, and what they share.
#include "model.h"

#include "bpe.h"
#include "unigram.h"
#include "utf8.h"
#include "wordlevel.h"
#include "wordpiece.h"

namespace quern {
namespace {

struct ModelType {
  const char* name;
  TokenizerDocument::VocabKind vocab;
  std::unique_ptr<const TokenModel> (*make)(const JsonField& field, TokenizerDocument& document);
};

constexpr ModelType model_types[] = {
    {"BPE", TokenizerDocument::VocabKind::object, make_bpe},
    {"Unigram", TokenizerDocument::VocabKind::array, make_unigram},
    {"WordLevel", TokenizerDocument::VocabKind::object, make_wordlevel},
    {"WordPiece", TokenizerDocument::VocabKind::object, make_wordpiece},
};

}  // namespace

std::string model_type(const TokenizerDocument& document) {
  const JsonField field = document.root().at("model");
  if (const auto type = field.find("type")) return type->string();
  if (document.has_merges) return "BPE";
  if (document.vocab_kind == TokenizerDocument::VocabKind::array) return "Unigram";
  const bool prefix = field.find("continuing_subword_prefix") || field.find("max_input_chars_per_word");
  return prefix ? "WordPiece" : "WordLevel";
}

std::unique_ptr<const TokenModel> make_model(TokenizerDocument& document) {
  const JsonField field = document.root().at("model");
  const std::string type = model_type(document);
  std::string known;
  for (const ModelType& t : model_types) {
    known += (known.empty() ? "" : ", ") + std::string(t.name);
    if (type != t.name) continue;
    if (document.tables != nullptr) {
      document.vocab = Vocabulary::view(*document.tables);
      return t.make(field, document);
    }
    if (document.vocab_kind != t.vocab) field.fail("has no \"vocab\" of the kind that " + type + " needs");
    const std::string wrong = document.vocab.build();
    if (!wrong.empty()) throw Error(Status::bad_file, clip_message(document.file + ": model.vocab: " + wrong));
    return t.make(field, document);
  }
  field.fail("type \"" + type + "\" is not supported (supported: " + known + ")", Status::unsupported);
}

void word_bytes(const Char* word, size_t n, bool map, ModelScratch& scratch) {
  scratch.bytes.clear();
  scratch.char_of.clear();
  for (size_t i = 0; i < n; ++i) {
    char utf8[4];
    const size_t size = encode_utf8(word[i].code, utf8);
    scratch.bytes.append(utf8, size);
    if (map) scratch.char_of.insert(scratch.char_of.end(), size, static_cast<uint32_t>(i));
  }
}

int32_t unknown_id(const JsonField& field, const char* absent, const Vocabulary& vocab) {
  const std::string unknown = field.string_or("unk_token", absent);
  const int32_t id = vocab.find(unknown);
  if (id < 0) field.fail("has the unk_token \"" + unknown + "\", which is not in its vocab");
  return id;
}

}  // namespace quern
