#include "generation/text_generator.h"

#include <algorithm>
#include <charconv>

#include "error.h"
#include "sampling/gbnf.h"
#include "tokenizers/token_bytes.h"

namespace quern {

namespace {

// As a grammar names it: "[1000]" or its text.
std::string grammar_token(const Tokenizer& t, std::string_view token) {
  int32_t id = -1;
  if (token.starts_with('[')) {
    const auto [end, error] = std::from_chars(token.data() + 1, token.data() + token.size(), id);
    if (error != std::errc() || end != token.data() + token.size() - 1) id = -1;
  } else {
    id = t.id(token);
  }
  return id >= 0 && t.is_special(id) ? special_mark(id) : token_bytes(t, id);
}

}  // namespace

std::shared_ptr<const Grammar> compile_grammar(const TextRequest& request, const Tokenizer& tokenizer) {
  if (!request.grammar.empty() && !request.json_schema.empty())
    throw Error(Status::bad_argument, "expected a grammar or a JSON schema, found both");
  if (!request.grammar.empty())
    return Grammar::from_gbnf(request.grammar, [&](std::string_view token) { return grammar_token(tokenizer, token); });
  if (!request.json_schema.empty()) return Grammar::from_json_schema(request.json_schema);
  return nullptr;
}

struct TextGenerator::Stream {
  TokenDecoder decoder;
  StopStrings stops;
  bool skip_end;  // the token that ends a text leaves nothing in it
  std::vector<int32_t> shown;

  Stream(const Tokenizer& tokenizer, const TextRequest& request)
      : decoder(tokenizer, true),
        stops(request.stop, request.include_stop),
        skip_end(!request.ignore_end),
        shown(request.shown) {}
  bool shows(int32_t id) const { return std::find(shown.begin(), shown.end(), id) != shown.end(); }
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
      std::min(model.tokenizer->vocab_size(), static_cast<size_t>(model.model->vocabulary())),
      [&](int32_t id) { return model.tokenizer->is_special(id) ? special_mark(id) : bytes(id); }, ends);
  return trie_;
}

int64_t TextGenerator::add(TextRequest request) {
  if (!request.compiled) request.compiled = compile_grammar(request, *generator_.model().tokenizer);
  auto stream = std::make_unique<Stream>(*generator_.model().tokenizer, request);
  auto grammar = request.compiled ? std::make_unique<GrammarState>(request.compiled, trie()) : nullptr;
  const int64_t sequence = generator_.add(std::move(request), std::move(grammar));
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
    if (event.token.token >= 0 && !end) stream.decoder.push(event.token.token, piece, stream.shows(event.token.token));
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
