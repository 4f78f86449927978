// What texts cost a model, in multiply-accumulates.
#pragma once
#include <cstdint>

#include "loaded_model.h"

namespace quern {

struct Macs {
  double products = 0;   // by the weights of the layers
  double attention = 0;  // between tokens, two a value: scores, then sums of values
  double all() const { return products + attention; }
};

// Of a text of n tokens, without heads. Windows and causal attention count the tokens that are seen.
Macs text_macs(const LoadedModel& model, int64_t n);

}  // namespace quern
