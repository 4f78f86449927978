// The weights of everything that follows the transformer.
#pragma once
#include <string>
#include <vector>

#include "heads/pipeline.h"
#include "models/weight_map.h"

namespace quern {

struct HeadWeights {
  struct Module {
    Linear dense;     // of a Dense
    Linear residual;  // of one that adds its input in another width
    Norm norm;        // of a LayerNorm
  };
  struct Layers {  // see HeadLayers
    Linear dense, out;
    Norm norm;
  };
  std::vector<Module> modules;  // one for each of the pipeline's
  Layers classifier, sparse;    // sparse: `out` alone, (1, D), where it is not over the vocabulary
  Linear multi_vector;          // (width, D)
  std::vector<Module> tokens;   // one for each of the multi-vector head's modules

  // Adds what the pipeline needs to the map, which points into this afterwards. D: the model's width.
  void declare(WeightMap& map, const Pipeline& pipeline, int64_t D, int64_t vocabulary);
};

// Heads are small beside the transformer and see few rows: they stay exact. folder: of the Hugging Face folder, where
// the weight's file is.
void keep_exact(WeightSpec& spec, const std::string& folder = {});

}  // namespace quern
