// Decoders: from the texts of tokens to a text. Each works token by token, so that a text can be shown while its tokens
// are still being made, and the parts add up to what a decoder makes of all tokens at once.
// A new type is a function in a decoder_*.cpp and a line in the table of decoder.cpp.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "json_field.h"

namespace quern {

// A decoder at work on one text. Takes tokens, gives tokens to the next step.
class DecodeStep {
 public:
  virtual ~DecodeStep() = default;
  virtual void token(std::string text) = 0;
  // No more tokens come: gives what was held back.
  virtual void flush() { next->flush(); }
  // What a token in the middle of a text becomes, if need be as bytes that are no whole characters: for TokenBytes.
  virtual std::string middle_bytes(std::string text) const { return text; }
  DecodeStep* next = nullptr;
};

// The steps in order. While `parts` is set, what the last of them gives are parts of a single token, in order.
struct DecodeChain {
  std::vector<std::unique_ptr<DecodeStep>> steps;
  bool parts = false;

  void add(std::unique_ptr<DecodeStep> step) { steps.push_back(std::move(step)); }
  // For a step that needs whole tokens: parts are put together, which has to wait for the last.
  void need_whole_tokens();
};

class PieceDecoder {
 public:
  virtual ~PieceDecoder() = default;
  virtual void add_steps(DecodeChain& chain) const = 0;
};

using DecoderPtr = std::unique_ptr<const PieceDecoder>;

// From the JSON object of a decoder; without one, tokens are joined by spaces. Throws Error.
DecoderPtr make_decoder(const std::optional<JsonField>& field);

DecoderPtr make_byte_level_decoder(const JsonField& field);
DecoderPtr make_byte_fallback_decoder(const JsonField& field);
DecoderPtr make_bpe_decoder(const JsonField& field);
DecoderPtr make_ctc_decoder(const JsonField& field);
DecoderPtr make_fuse_decoder(const JsonField& field);
DecoderPtr make_metaspace_decoder(const JsonField& field);
DecoderPtr make_replace_decoder(const JsonField& field);
DecoderPtr make_strip_decoder(const JsonField& field);
DecoderPtr make_wordpiece_decoder(const JsonField& field);

// A decoder without settings of its own but those that its step's constructor takes.
template <class Step, class... Settings>
DecoderPtr whole_token_decoder(Settings... settings) {
  class Simple final : public PieceDecoder {
   public:
    explicit Simple(std::function<std::unique_ptr<DecodeStep>()> make) : make_(std::move(make)) {}
    void add_steps(DecodeChain& chain) const override {
      chain.need_whole_tokens();
      chain.add(make_());
    }

   private:
    std::function<std::unique_ptr<DecodeStep>()> make_;
  };
  return std::make_unique<Simple>([settings...] { return std::make_unique<Step>(settings...); });
}

}  // namespace quern
