// Post-processors: which special tokens go around one text or two, and their type ids. Every type comes down
// to the two templates below. A new type is a function and a line in the table of post_processor.cpp.
#pragma once
#include <cstdint>
#include <vector>

#include "json_field.h"

namespace quern {

struct TemplatePiece {
  enum class Kind : uint8_t { text_a, text_b, special } kind;
  int32_t id;  // of a special token
  int32_t type_id;
};

struct PostProcessor {
  std::vector<TemplatePiece> single, pair;
  // How often offsets leave out white space at both ends of a token; true: but for a single space of the first token.
  std::vector<bool> trims;
  bool drops_unknown = false;  // the model's token for what its vocabulary lacks is left out of texts

  size_t n_special(bool of_pair) const;
};

// What a file without a post-processor does: the texts as they are, with type ids 0 and 1.
PostProcessor no_post_processor();

// From the JSON object of a post-processor; ids must be below vocab_size. Throws Error.
PostProcessor make_post_processor(const JsonField& field, size_t vocab_size);

}  // namespace quern
