// Decoders whose tokens stand for bytes: ByteLevel and ByteFallback.
#include "byte_level.h"
#include "decoder.h"
#include "utf8.h"

namespace quern {
namespace {

std::string repaired(std::string_view text) {
  if (find_invalid_utf8(text) == text.size()) return std::string(text);
  RepairedUtf8 copy;
  copy.assign(text);
  return std::string(copy.text());
}

// Gives whole characters as soon as their bytes are there.
class ByteLevelStep final : public DecodeStep {
 public:
  void token(std::string text) override {
    bytes_ += middle_bytes(std::move(text));
    const size_t n_held = unfinished_utf8(bytes_), n_ready = bytes_.size() - n_held;
    if (n_ready == 0) return;
    next->token(repaired(std::string_view(bytes_).substr(0, n_ready)));
    bytes_.erase(0, n_ready);
  }
  void flush() override {
    if (!bytes_.empty()) next->token(repaired(bytes_));
    next->flush();
  }
  std::string middle_bytes(std::string text) const override {
    std::string bytes;
    for (size_t i = 0; i < text.size();) {
      const Utf8Char c = decode_utf8(text.data() + i);
      const int byte = byte_level::to_byte(c.code);
      if (byte < 0) return text;  // no name of a byte: the token stands for itself
      bytes += static_cast<char>(byte);
      i += c.size;
    }
    return bytes;
  }

 private:
  std::string bytes_;
};

class ByteLevelDecoder final : public PieceDecoder {
 public:
  void add_steps(DecodeChain& chain) const override {
    chain.need_whole_tokens();
    chain.add(std::make_unique<ByteLevelStep>());
    chain.parts = true;
  }
};

// The byte of a token "<0xA1>"; -1 for others. A sign in place of the first digit passes, as in the reference.
int byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  const int high = token[3] == '+' ? 0 : digit(token[3]), low = digit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// A run of bytes is held back until it ends, since one that is not UTF-8 becomes U+FFFD for each byte of it.
class ByteFallbackStep final : public DecodeStep {
 public:
  void token(std::string text) override {
    if (const int byte = byte_of(text); byte >= 0) {
      run_ += static_cast<char>(byte);
      return;
    }
    give_held();
    next->token(std::move(text));
  }
  void flush() override {
    give_held();
    next->flush();
  }
  std::string middle_bytes(std::string text) const override {
    const int byte = byte_of(text);
    return byte >= 0 ? std::string(1, static_cast<char>(byte)) : text;
  }

 private:
  void give_held() {
    if (run_.empty()) return;
    if (find_invalid_utf8(run_) == run_.size()) {
      next->token(std::move(run_));
    } else {
      for (size_t i = 0; i < run_.size(); ++i) next->token("\xEF\xBF\xBD");
    }
    run_.clear();
  }
  std::string run_;
};

}  // namespace

DecoderPtr make_byte_level_decoder(const JsonField&) {
  return std::make_unique<ByteLevelDecoder>();
}

DecoderPtr make_byte_fallback_decoder(const JsonField&) {
  return whole_token_decoder<ByteFallbackStep>();
}

}  // namespace quern
