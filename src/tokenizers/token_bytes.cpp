// See token_bytes.h.
#include "token_bytes.h"

#include "tokenizer_pipeline.h"

namespace quern {

struct TokenBytes::Steps {
  DecodeChain chain;
};

TokenBytes::TokenBytes(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
  auto steps = std::make_unique<Steps>();
  tokenizer.pipeline_->decoder->add_steps(steps->chain);
  steps_ = std::move(steps);
}
TokenBytes::~TokenBytes() = default;

std::string TokenBytes::operator()(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= tokenizer_.vocab_size() || tokenizer_.pipeline_->added->is_special(id)) {
    return "";
  }
  std::string bytes(tokenizer_.piece(id));
  for (const auto& step : steps_->chain.steps) bytes = step->middle_bytes(std::move(bytes));
  return bytes;
}

std::string token_bytes(const Tokenizer& tokenizer, int32_t id) {
  return TokenBytes(tokenizer)(id);
}

}  // namespace quern
