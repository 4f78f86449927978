// What the calls of a session and those of a scheduler share: their options, and what they hand out.
#pragma once
#include "c_api.h"
#include "run/text_work.h"

struct quern_encoded {
  std::vector<quern::Encoded> texts;
  size_t width = 0, multi_width = 0, states_width = 0;
  std::vector<std::vector<int32_t>> ids;  // sparse weights, as the caller sees them
  std::vector<std::vector<float>> weights;
};
struct quern_spans {
  std::vector<std::vector<quern_span>> texts;
};

namespace quern::c_api {

EmbedOptions embed_options(const quern_embed_options& options);
EmbedOptions classify_options(const quern_classify_options& options);
Wanted wanted_of(unsigned outputs);

quern_text_info info_of(const TextInfo& info);
size_t n_labels(const LoadedModel& model);
void add_stats(const EmbedStats& more, quern_embed_stats* stats);  // to what is there; null: nowhere

// The n texts of a call, whose results take at most `most` entries in all. Throws Error.
std::vector<std::string_view> texts_of(const char* call, const char* const* texts, const size_t* lengths, size_t n,
                                       size_t most);
constexpr size_t kMostTexts = size_t{1} << 28;  // of a call whose results the library allocates

// width: of the dense vectors.
std::unique_ptr<quern_encoded> encoded_of(const LoadedModel& model, std::vector<Encoded> texts, size_t width);
void add_spans(quern_spans& spans, const std::vector<LabelledToken>& text);

}  // namespace quern::c_api
