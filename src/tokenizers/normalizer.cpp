// The table of normalizers, and Sequence.
#include "normalizer.h"

namespace quern {
namespace {

class NormalizerSequence final : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<NormalizerPtr> steps) : steps_(std::move(steps)) {}
  void apply(Chars& text, NormalizerScratch& scratch) const override {
    for (const NormalizerPtr& step : steps_) {
      step->apply(text, scratch);
      check_growth(text.size(), scratch.most);
    }
  }

 private:
  std::vector<NormalizerPtr> steps_;
};

NormalizerPtr make_normalizer_sequence(const JsonField& field) {
  std::vector<NormalizerPtr> steps;
  for (const JsonField& item : field.at("normalizers").items()) steps.push_back(make_normalizer(item));
  if (steps.size() > max_steps) field.at("normalizers").fail("has more than 256 steps", Status::unsupported);
  return std::make_unique<NormalizerSequence>(std::move(steps));
}

constexpr StageType<NormalizerPtr> normalizer_types[] = {
    {"BertNormalizer", make_bert_normalizer},
    {"ByteLevel", make_byte_level_normalizer},
    {"Lowercase", make_lowercase},
    {"NFC", make_nfc},
    {"NFD", make_nfd},
    {"NFKC", make_nfkc},
    {"NFKD", make_nfkd},
    {"Nmt", make_nmt},
    {"Precompiled", make_precompiled},
    {"Prepend", make_prepend},
    {"Replace", make_replace},
    {"Sequence", make_normalizer_sequence},
    {"Strip", make_strip},
    {"StripAccents", make_strip_accents},
};

}  // namespace

void check_growth(size_t n_chars, size_t most) {
  if (n_chars > most) {
    throw Error(Status::bad_argument, "the tokenizer's stages make a text more than 64 times as long");
  }
}

NormalizerPtr make_normalizer(const JsonField& field) {
  return make_stage(field, normalizer_types);
}

}  // namespace quern
