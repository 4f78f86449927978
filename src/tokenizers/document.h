// Reads the bytes of a tokenizer.json: the vocabulary goes straight into a Vocabulary, scores and merges into lists,
// and the rest, which is small, becomes a JSON value. Says nothing about the stages.
#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "json_field.h"
#include "vocabulary.h"

namespace quern {

// The merges of a BPE model, each two pieces, in order of rank.
class MergeList {
 public:
  void add(std::string_view left, std::string_view right);
  size_t size() const { return ends_.size() / 2; }
  std::string_view left(size_t i) const { return part(2 * i); }
  std::string_view right(size_t i) const { return part(2 * i + 1); }

 private:
  std::string_view part(size_t k) const;
  std::string bytes_;
  std::vector<uint32_t> ends_;  // of each part
};

struct TokenizerDocument {
  // Bounds: 512 MB, 64 levels, a million values outside the vocabulary. Throws Error bad_file or unsupported.
  // tables: where the vocabulary lies if the JSON is an outline; must outlive this and the model made from it.
  TokenizerDocument(std::string_view json, std::string file_name, const TableSource* tables = nullptr);
  ~TokenizerDocument();
  TokenizerDocument(const TokenizerDocument&) = delete;
  TokenizerDocument& operator=(const TokenizerDocument&) = delete;

  JsonField root() const { return JsonField(json.get(), "", &file); }
  // The JSON without the vocabulary and merges, which tables hold.
  std::string outline() const;

  std::string file;
  std::unique_ptr<nlohmann::json> json;  // without model.vocab and model.merges, which are null here
  Vocabulary vocab;                      // of model.vocab, not finished
  std::vector<double> scores;            // of the pieces, where model.vocab is an array
  MergeList merges;
  enum class VocabKind { none, object, array } vocab_kind = VocabKind::none;
  bool has_merges = false;
  const TableSource* tables;  // or null
};

}  // namespace quern
