// Ids to text. See tokenizer.h and decoder.h.
#include "tokenizer_pipeline.h"

namespace quern {

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  TokenDecoder decoder(*this, skip_special);
  std::string text;
  for (const int32_t id : ids) decoder.push(id, text);
  decoder.flush(text);
  return text;
}

struct TokenDecoder::Work {
  class Output final : public DecodeStep {
   public:
    void token(std::string part) override { text += part; }
    void flush() override {}
    std::string text;
  };
  const Tokenizer& tokenizer;
  bool skip_special;
  DecodeChain chain;
  Output output;

  void start() {
    chain = {};
    tokenizer.pipeline_->decoder->add_steps(chain);
    for (size_t i = 0; i < chain.steps.size(); ++i)
      chain.steps[i]->next = i + 1 < chain.steps.size() ? chain.steps[i + 1].get() : &output;
  }
  DecodeStep& first() { return chain.steps.empty() ? output : *chain.steps[0]; }
  void take(std::string& out) {
    out += output.text;
    output.text.clear();
  }
};

TokenDecoder::TokenDecoder(const Tokenizer& tokenizer, bool skip_special)
    : work_(new Work{tokenizer, skip_special, {}, {}}) {
  work_->start();
}
TokenDecoder::~TokenDecoder() = default;

void TokenDecoder::push(int32_t id, std::string& out, bool show) {
  const Tokenizer& t = work_->tokenizer;
  if (id < 0 || static_cast<size_t>(id) >= t.vocab_size()) return;
  if (work_->skip_special && !show && t.pipeline_->added->is_special(id)) return;
  work_->first().token(std::string(t.piece(id)));
  work_->take(out);
}

void TokenDecoder::flush(std::string& out) {
  work_->first().flush();
  work_->take(out);
  work_->start();
}

}  // namespace quern
