// Decoders that edit the texts of tokens: Metaspace, WordPiece, BPEDecoder, CTC, Replace, Strip.
#include "decoder.h"
#include "utf8.h"

namespace quern {
namespace {

// Every occurrence, from left to right; an empty `from` is found before each character and at the end.
void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (!from.empty() && text.find(from) == std::string::npos) return;
  std::string out;
  size_t i = 0;
  for (size_t found; !from.empty() && (found = text.find(from, i)) != std::string::npos; i = found + from.size()) {
    out.append(text, i, found - i).append(to);
  }
  for (; from.empty() && i < text.size(); i += utf8_size(text[i])) out.append(to).append(text, i, utf8_size(text[i]));
  out.append(text, i).append(from.empty() ? to : "");
  text = std::move(out);
}

// The spaces that English writes differently from tokens.
void clean_up(std::string& text) {
  constexpr std::string_view changes[][2] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                             {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                             {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : changes) replace_all(text, from, to);
}

class MetaspaceStep final : public DecodeStep {
 public:
  MetaspaceStep(std::string mark, bool drops_first) : mark_(std::move(mark)), drops_(drops_first) {}
  void token(std::string text) override {
    replace_all(text, mark_, drops_ ? "" : " ");
    drops_ = false;
    next->token(std::move(text));
  }
  std::string middle_bytes(std::string text) const override {
    replace_all(text, mark_, " ");
    return text;
  }

 private:
  std::string mark_;
  bool drops_;
};

class WordPieceStep final : public DecodeStep {
 public:
  WordPieceStep(std::string prefix, bool cleanup) : prefix_(std::move(prefix)), cleanup_(cleanup) {}
  void token(std::string text) override {
    if (!first_) text = joined(std::move(text));
    first_ = false;
    if (cleanup_) clean_up(text);
    next->token(std::move(text));
  }
  std::string middle_bytes(std::string text) const override {
    text = joined(std::move(text));
    if (cleanup_) clean_up(text);
    return text;
  }

 private:
  std::string joined(std::string text) const {
    if (text.starts_with(prefix_)) {
      text.erase(0, prefix_.size());
    } else {
      text.insert(text.begin(), ' ');
    }
    return text;
  }
  std::string prefix_;
  bool cleanup_, first_ = true;
};

// Holds one token back: the last is treated otherwise.
class BpeStep final : public DecodeStep {
 public:
  explicit BpeStep(std::string suffix) : suffix_(std::move(suffix)) {}
  void token(std::string text) override {
    if (held_) give(" ");
    held_ = std::move(text);
  }
  void flush() override {
    if (held_) give("");
    next->flush();
  }

  std::string middle_bytes(std::string text) const override {
    replace_all(text, suffix_, " ");
    return text;
  }

 private:
  void give(std::string_view in_place) {
    replace_all(*held_, suffix_, in_place);
    next->token(std::move(*held_));
    held_.reset();
  }
  std::string suffix_;
  std::optional<std::string> held_;
};

class CtcStep final : public DecodeStep {
 public:
  CtcStep(std::string pad, std::string delimiter, bool cleanup)
      : pad_(std::move(pad)), delimiter_(std::move(delimiter)), cleanup_(cleanup) {}
  void token(std::string text) override {
    if (before_ == text) return;
    before_ = text;
    text = middle_bytes(std::move(text));
    if (!text.empty()) next->token(std::move(text));
  }
  std::string middle_bytes(std::string text) const override {
    replace_all(text, pad_, "");
    if (cleanup_) {
      clean_up(text);
      replace_all(text, delimiter_, " ");
    }
    return text;
  }

 private:
  std::string pad_, delimiter_;
  bool cleanup_;
  std::optional<std::string> before_;
};

class ReplaceStep final : public DecodeStep {
 public:
  ReplaceStep(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}
  void token(std::string text) override { next->token(middle_bytes(std::move(text))); }
  std::string middle_bytes(std::string text) const override {
    if (!from_.empty()) replace_all(text, from_, to_);
    return text;
  }

 private:
  std::string from_, to_;
};

class StripStep final : public DecodeStep {
 public:
  // fused: what comes is a whole text, of which a token is only a part.
  StripStep(std::string content, size_t start, size_t stop, bool fused)
      : content_(std::move(content)), start_(start), stop_(stop), fused_(fused) {}
  void token(std::string text) override { next->token(stripped(text)); }
  std::string middle_bytes(std::string text) const override { return fused_ ? text : stripped(text); }

 private:
  std::string stripped(const std::string& text) const {
    size_t begin = 0, end = text.size();
    for (size_t i = 0; i < start_ && text.compare(begin, content_.size(), content_) == 0; ++i) begin += content_.size();
    for (size_t i = 0; i < stop_ && end >= begin + content_.size() &&
                       text.compare(end - content_.size(), content_.size(), content_) == 0;
         ++i) {
      end -= content_.size();
    }
    return text.substr(begin, end - begin);
  }
  std::string content_;
  size_t start_, stop_;
  bool fused_;
};

// Strip of a single token that comes in parts, at its start alone.
class StripStartStep final : public DecodeStep {
 public:
  StripStartStep(std::string content, size_t start) : content_(std::move(content)), left_(start) {}
  void token(std::string text) override {
    size_t begin = 0;
    for (; left_ > 0 && begin < text.size(); --left_) {
      if (text.compare(begin, content_.size(), content_) != 0)
        left_ = 1;
      else
        begin += content_.size();
    }
    if (begin < text.size()) next->token(text.substr(begin));
  }

 private:
  std::string content_;
  size_t left_;
};

class StripDecoder final : public PieceDecoder {
 public:
  explicit StripDecoder(const JsonField& field)
      : content_(field.at("content").string()),
        start_(static_cast<size_t>(field.at("start").integer(UINT32_MAX))),
        stop_(static_cast<size_t>(field.at("stop").integer(UINT32_MAX))) {
    if (content_.empty() || utf8_size(content_[0]) != content_.size())
      field.at("content").fail("should be a character");
  }
  void add_steps(DecodeChain& chain) const override {
    if (chain.parts && stop_ == 0) {  // parts are whole characters
      chain.add(std::make_unique<StripStartStep>(content_, start_));
      return;
    }
    const bool fused = chain.parts;
    chain.need_whole_tokens();
    chain.add(std::make_unique<StripStep>(content_, start_, stop_, fused));
  }

 private:
  std::string content_;
  size_t start_, stop_;
};

}  // namespace

DecoderPtr make_metaspace_decoder(const JsonField& field) {
  const std::string mark = field.string_or("replacement", "▁");
  const std::string scheme =
      field.string_or("prepend_scheme", field.boolean_or("add_prefix_space", true) ? "always" : "never");
  if (scheme != "always" && scheme != "first" && scheme != "never")
    field.fail("prepend_scheme should be always, first or never, but is \"" + scheme + "\"");
  if (mark.empty() || utf8_size(mark[0]) != mark.size()) field.fail("replacement should be a character");
  return whole_token_decoder<MetaspaceStep>(mark, scheme != "never");
}

DecoderPtr make_wordpiece_decoder(const JsonField& field) {
  return whole_token_decoder<WordPieceStep>(field.string_or("prefix", "##"), field.boolean_or("cleanup", true));
}

DecoderPtr make_bpe_decoder(const JsonField& field) {
  return whole_token_decoder<BpeStep>(field.string_or("suffix", "</w>"));
}

DecoderPtr make_ctc_decoder(const JsonField& field) {
  return whole_token_decoder<CtcStep>(field.string_or("pad_token", "<pad>"),
                                      field.string_or("word_delimiter_token", "|"), field.boolean_or("cleanup", true));
}

DecoderPtr make_replace_decoder(const JsonField& field) {
  const JsonField pattern = field.at("pattern");
  if (pattern.find("Regex")) pattern.fail("is a regular expression, which decoders do not take", Status::unsupported);
  return whole_token_decoder<ReplaceStep>(pattern.at("String").string(), field.at("content").string());
}

DecoderPtr make_strip_decoder(const JsonField& field) {
  return std::make_unique<StripDecoder>(field);
}

}  // namespace quern
