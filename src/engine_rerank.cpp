// Pairs of texts → scores, by the vectors of their tokens.
#include <map>

#include "engine.h"
#include "error.h"
#include "similarity.h"

namespace quern {
namespace {

// The texts of a call without repetitions: many pairs have one query.
struct Distinct {
  Distinct(std::span<const std::string_view> all, std::span<const LinearChanges* const> changes_of_all) {
    std::map<std::pair<std::string_view, const LinearChanges*>, size_t> known;
    for (size_t i = 0; i < all.size(); ++i) {
      const LinearChanges* const own = changes_of_all.empty() ? nullptr : changes_of_all[i];
      const auto [found, is_new] = known.emplace(std::pair(all[i], own), texts.size());
      if (is_new) texts.push_back(all[i]), changes.push_back(own);
      place.push_back(found->second);
    }
  }
  std::vector<std::string_view> texts;
  std::vector<const LinearChanges*> changes;
  std::vector<size_t> place;  // of each of all
};

EmbedOptions options_of(const TextOptions& given, const char* input_type) {
  EmbedOptions options;
  static_cast<TextOptions&>(options) = given;
  options.input_type = input_type;
  return options;
}

}  // namespace

void Session::compare_tokens(std::span<const std::string_view> queries, std::span<const std::string_view> documents,
                             const TextOptions& options, std::span<float> out, EmbedStats& stats) {
  const MultiVectorConfig& head = *model_->pipeline.multi_vector;
  if (options.long_texts > LongTexts::truncate)
    throw Error(Status::bad_argument, "long texts: a reranker cuts them or refuses them");
  if (documents.size() > out.size())
    throw Error(Status::bad_argument, "out: expected room for " + std::to_string(documents.size()) + " scores, found " +
                                          std::to_string(out.size()));
  const Distinct distinct(queries, options.changes);
  EmbedOptions of_queries = options_of(options, "query"), of_documents = options_of(options, "document");
  of_queries.changes = distinct.changes;
  of_queries.max_length = 0;
  of_queries.info = {};
  of_documents.prompt.reset();  // it is about the query
  of_documents.prompt_name.clear();
  EmbedStats of_distinct;
  const Wanted tokens{.multi_vector = true};
  const std::vector<Encoded> asked = encode(distinct.texts, of_queries, tokens, of_distinct);
  const std::vector<Encoded> found = encode(documents, of_documents, tokens, stats);
  stats.tokens += of_distinct.tokens;
  const bool mean = !head.late || head.late->mean;
  const size_t width = static_cast<size_t>(head.width);
  pool_.run(static_cast<int64_t>(found.size()), [&](int64_t task, Arena&) {
    const size_t i = static_cast<size_t>(task);
    const std::vector<float>& rows = found[i].multi_vector;
    const StoredRows document{.data = rows.data(), .n = rows.size() / width, .width = width};
    out[i] = max_similarity(document, {.queries = asked[distinct.place[i]].multi_vector}, mean);
  });
}

}  // namespace quern
