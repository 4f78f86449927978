// Vectors of a text's tokens, to be compared with another text's token by token. Thread-safe: nothing is kept.
#pragma once
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "heads/head_weights.h"

namespace quern {

enum class TextRole : uint8_t { none, query, document };  // none: as document, where both differ
TextRole text_role(std::string_view input_type);          // "query", "document"; anything else: none

// What queries are filled up with, and what has no vector, as ids of a vocabulary.
struct TokenChoice {
  int32_t expansion = -1;
  std::unordered_set<int32_t> skipped;
};

// Rows of the head's width from the last hidden states (L, D) of a text whose tokens are ids: pooled where the head, or
// pooling, which may be null and takes its place, says so.
std::vector<float> token_vectors(Ops& op, const MultiVectorConfig& config, const HeadWeights& weights,
                                 const TokenChoice& choice, const Tensor& states, std::span<const int32_t> ids,
                                 TextRole role, const TokenPooling* pooling = nullptr);

// In place. By the clusters of Ward's method over 1 - x·y (Ward, 1963, JASA 58), the mean of each, ordered by their
// first tokens. n rows take n² · 4 bytes and time ~ n²; Error{bad_argument} for more than 16,384 of them.
void pool_tokens(std::vector<float>& rows, size_t width, const TokenPooling& pooling);

// id_of: a piece's id, -1 where there is none. Pieces to skip that there are not are none; of the other,
// Error{bad_file}.
TokenChoice token_choice(const MultiVectorConfig& config, const std::function<int32_t(const std::string&)>& id_of,
                         const std::string& name);
// Throws Error{bad_file} unless the modules lead from D values to the head's width.
void check_token_widths(const MultiVectorConfig& config, int64_t D, const std::string& name);
// Throws Error{bad_file}, {unsupported}. name is the file's.
void check_multi_vector(const MultiVectorConfig& config, const std::string& name);
nlohmann::json multi_vector_to_json(const MultiVectorConfig& config);
MultiVectorConfig multi_vector_from_json(const nlohmann::json& entry, const std::string& name);

}  // namespace quern
