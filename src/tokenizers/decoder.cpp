// The table of decoders, and those that order and join tokens: Sequence, Fuse, none.
#include "decoder.h"

namespace quern {
namespace {

class Collect final : public DecodeStep {
 public:
  void token(std::string text) override { all_ += text; }
  void flush() override {
    next->token(std::move(all_));
    next->flush();
  }

 private:
  std::string all_;
};

class JoinBySpaces final : public DecodeStep {
 public:
  void token(std::string text) override {
    if (!first_) text.insert(text.begin(), ' ');
    next->token(std::move(text));
    first_ = false;
  }
  std::string middle_bytes(std::string text) const override { return ' ' + text; }

 private:
  bool first_ = true;
};

class DecoderSequence final : public PieceDecoder {
 public:
  explicit DecoderSequence(std::vector<DecoderPtr> decoders) : decoders_(std::move(decoders)) {}
  void add_steps(DecodeChain& chain) const override {
    for (const DecoderPtr& decoder : decoders_) decoder->add_steps(chain);
  }

 private:
  std::vector<DecoderPtr> decoders_;
};

class Fuse final : public PieceDecoder {
 public:
  void add_steps(DecodeChain& chain) const override { chain.parts = true; }
};

DecoderPtr make_sequence(const JsonField& field) {
  std::vector<DecoderPtr> decoders;
  for (const JsonField& item : field.at("decoders").items()) decoders.push_back(make_decoder(item));
  return std::make_unique<DecoderSequence>(std::move(decoders));
}

constexpr StageType<DecoderPtr> decoder_types[] = {
    {"BPEDecoder", make_bpe_decoder},
    {"ByteFallback", make_byte_fallback_decoder},
    {"ByteLevel", make_byte_level_decoder},
    {"CTC", make_ctc_decoder},
    {"Fuse", make_fuse_decoder},
    {"Metaspace", make_metaspace_decoder},
    {"Replace", make_replace_decoder},
    {"Sequence", make_sequence},
    {"Strip", make_strip_decoder},
    {"WordPiece", make_wordpiece_decoder},
};

}  // namespace

void DecodeChain::need_whole_tokens() {
  if (parts) add(std::make_unique<Collect>());
  parts = false;
}

DecoderPtr make_fuse_decoder(const JsonField&) {
  return std::make_unique<Fuse>();
}

DecoderPtr make_decoder(const std::optional<JsonField>& field) {
  return field ? make_stage(*field, decoder_types) : whole_token_decoder<JoinBySpaces>();
}

}  // namespace quern
