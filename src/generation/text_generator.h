// A Generator whose sequences are texts: tokens come with the text that can be shown, and stop strings end a sequence.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "generation/generator.h"
#include "sampling/grammar.h"
#include "sampling/stop.h"

namespace quern {

struct TextRequest : Request {
  std::vector<std::string> stop;
  bool include_stop = false;
  // What the answer must look like; at most one of the two.
  std::string grammar, json_schema;
  std::shared_ptr<const Grammar> compiled;  // of it, in place of the text
  std::vector<int32_t> shown;               // special tokens that are part of the text
};
// What a request's answer must look like; null: anything. On any thread: a large one takes a second. Throws Error.
std::shared_ptr<const Grammar> compile_grammar(const TextRequest& request, const Tokenizer& tokenizer);

// One token, or the end of a sequence without one.
struct TextEvent {
  Generated token;
  std::string text;      // whole characters; may be empty, and may go back to earlier tokens
  bool stopped = false;  // by a stop string: token.finish is Finish::end
};

class TextGenerator {
 public:
  TextGenerator(std::shared_ptr<const LoadedModel> model, const GeneratorOptions& options);
  ~TextGenerator();

  Generator& generator() { return generator_; }
  const Generator& generator() const { return generator_; }
  // As Generator's; also throws Error{bad_argument} for grammars and stop strings that are none.
  int64_t add(TextRequest request);
  void cancel(int64_t sequence);
  bool runs(int64_t sequence) const { return streams_.contains(sequence); }
  void step(std::vector<TextEvent>& out);

 private:
  struct Stream;
  std::shared_ptr<const TokenTrie> trie();

  Generator generator_;
  std::map<int64_t, std::unique_ptr<Stream>> streams_;
  std::shared_ptr<const TokenTrie> trie_;  // made when the first grammar comes
  std::vector<Generated> generated_;
};

}  // namespace quern
