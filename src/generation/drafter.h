// What proposes draft tokens, which one pass of the model then checks (speculative decoding; Leviathan et al., 2022,
// arXiv 2211.17192). A draft never changes what is generated: a token is taken only where the sampler chooses the same.
// A new one derives from this: docs/adding-a-drafter.md.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace quern {

// Belongs to one sequence.
class Drafter {
 public:
  virtual ~Drafter() = default;
  // The sequence's next tokens: the prompt's, or accepted ones.
  virtual void add(std::span<const int32_t> ids) = 0;
  // At most n tokens that may follow; none where it has nothing to say.
  virtual void propose(size_t n, std::vector<int32_t>& draft) = 0;
};

}  // namespace quern
