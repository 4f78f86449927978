#include "generation/text_generator.h"

#include "error.h"
#include "tokenizers/token_bytes.h"

namespace quern {

struct TextGenerator::Stream {
  TokenDecoder decoder;
  StopStrings stops;
  bool skip_end;  // the token that ends a text leaves nothing in it

  Stream(const Tokenizer& tokenizer, const TextRequest& request)
      : decoder(tokenizer, true), stops(request.stop, request.include_stop), skip_end(!request.ignore_end) {}
};

TextGenerator::TextGenerator(std::shared_ptr<const LoadedModel> model, const GeneratorOptions& options)
    : generator_(std::move(model), options) {}

TextGenerator::~TextGenerator() = default;

std::shared_ptr<const TokenTrie> TextGenerator::trie() {
  if (trie_) return trie_;
  const LoadedModel& model = generator_.model();
  const TokenBytes bytes(*model.tokenizer);
  const std::vector<int32_t> ends(model.end_tokens.begin(), model.end_tokens.end());
  trie_ = std::make_shared<const TokenTrie>(
      model.tokenizer->vocab_size(), [&](int32_t id) { return bytes(id); }, ends);
  return trie_;
}

int64_t TextGenerator::add(TextRequest request) {
  if (!request.grammar.empty() && !request.json_schema.empty())
    throw Error(Status::bad_argument, "expected a grammar or a JSON schema, found both");
  auto stream = std::make_unique<Stream>(*generator_.model().tokenizer, request);
  if (!request.grammar.empty())
    request.grammar_state = std::make_unique<GrammarState>(Grammar::from_gbnf(request.grammar), trie());
  if (!request.json_schema.empty())
    request.grammar_state = std::make_unique<GrammarState>(Grammar::from_json_schema(request.json_schema), trie());
  const int64_t sequence = generator_.add(std::move(request));
  try {
    streams_.emplace(sequence, std::move(stream));
  } catch (...) {
    generator_.cancel(sequence);
    throw;
  }
  return sequence;
}

void TextGenerator::cancel(int64_t sequence) {
  generator_.cancel(sequence);
  streams_.erase(sequence);
}

void TextGenerator::step(std::vector<TextEvent>& out) {
  generated_.clear();
  generator_.step(generated_);
  for (Generated& g : generated_) {
    const auto found = streams_.find(g.sequence);
    if (found == streams_.end()) continue;  // what came after a stop string in the same pass
    Stream& stream = *found->second;
    TextEvent event{std::move(g), {}, false};
    std::string piece;
    const bool end = event.token.finish == Finish::end && stream.skip_end &&
                     generator_.model().end_tokens.contains(event.token.token);
    if (event.token.token >= 0 && !end) stream.decoder.push(event.token.token, piece);
    if (event.token.finish != Finish::none) stream.decoder.flush(piece);
    if (stream.stops.push(piece, event.text)) {
      event.stopped = true;
      if (event.token.finish == Finish::none) generator_.cancel(event.token.sequence);
      event.token.finish = Finish::end;
    } else if (event.token.finish != Finish::none) {
      stream.stops.flush(event.text);
    }
    if (event.token.finish != Finish::none) streams_.erase(found);
    out.push_back(std::move(event));
  }
}

}  // namespace quern
