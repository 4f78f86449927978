// The table of normalizers, and Sequence.
#include "normalizer.h"

namespace quern {
namespace {

class NormalizerSequence final : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<NormalizerPtr> steps) : steps_(std::move(steps)) {}
  void apply(Chars& text, NormalizerScratch& scratch) const override {
    for (const NormalizerPtr& step : steps_) step->apply(text, scratch);
  }

 private:
  std::vector<NormalizerPtr> steps_;
};

NormalizerPtr make_sequence(const JsonField& field) {
  std::vector<NormalizerPtr> steps;
  for (const JsonField& item : field.at("normalizers").items()) steps.push_back(make_normalizer(item));
  return std::make_unique<NormalizerSequence>(std::move(steps));
}

constexpr StageType<NormalizerPtr> normalizer_types[] = {
    {"BertNormalizer", make_bert_normalizer},
    {"Lowercase", make_lowercase},
    {"NFC", make_nfc},
    {"NFD", make_nfd},
    {"Prepend", make_prepend},
    {"Replace", make_replace},
    {"Sequence", make_sequence},
    {"Strip", make_strip},
    {"StripAccents", make_strip_accents},
};

}  // namespace

NormalizerPtr make_normalizer(const JsonField& field) {
  return make_stage(field, normalizer_types);
}

}  // namespace quern
