// What changes a folder's weights before anything is made of them: adapters that are merged.
#pragma once
#include <span>
#include <string>

#include "models/weight_source.h"

namespace quern {

class WeightChanges {
 public:
  virtual ~WeightChanges() = default;

  // A part's tensors as the folder has them → as they are to be, in memory of `store`. False: nothing changed. Called
  // once for each part of each spec whose tensors lie with the transformer's, in the specs' order. prefixes: what may
  // stand before any Hugging Face name.
  virtual bool change(const WeightSpec& spec, size_t part, std::span<const std::string> prefixes,
                      WeightTensors& tensors, WeightStore& store) = 0;
};

}  // namespace quern
