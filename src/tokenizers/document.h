// Reads the bytes of a tokenizer.json: the vocabulary goes straight into a Vocab, the merges and what else is long
// are counted and left out, and the rest, which is small, becomes a JSON value. Says nothing about the stages.
#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "json_field.h"
#include "vocab.h"

namespace quern {

struct TokenizerDocument {
  // Bounds: 512 MB, 64 levels, a million values outside the vocabulary. Throws Error bad_file or unsupported.
  TokenizerDocument(std::string_view json, std::string file_name);
  ~TokenizerDocument();
  TokenizerDocument(const TokenizerDocument&) = delete;
  TokenizerDocument& operator=(const TokenizerDocument&) = delete;

  JsonField root() const { return JsonField(json.get(), "", &file); }

  std::string file;
  std::unique_ptr<nlohmann::json> json;  // without model.vocab and model.merges, which are null here
  Vocab vocab;                           // of a model.vocab that is an object, not finished
  enum class VocabKind { none, object, array } vocab_kind = VocabKind::none;
  bool has_merges = false;
};

}  // namespace quern
