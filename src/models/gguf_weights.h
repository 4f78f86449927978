// The weights of a GGUF file, by the names and shapes that WeightSpecs state.
#pragma once
#include "gguf/reader.h"
#include "io/mapped_file.h"
#include "models/weight_source.h"

namespace quern {

class GgufWeights final : public WeightSource {
 public:
  // map: what the reader reads. Both must outlive this and the model.
  GgufWeights(const GgufReader& file, const MappedFile& map) : file_(file), map_(map) {}

  // Matrices of types that run from panels get these here, on all CPUs, and their rows' pages are released.
  void bind(std::span<const WeightSpec> specs, WeightStore& store) override;
  bool holds(const WeightSpec& spec) const override;
  std::optional<WeightTensors> find(const WeightSpec& spec, size_t part) const override;
  void done_with(const WeightSpec& spec) const override;
  // All tensors in the order of the file, those that the map does not name among them.
  void each(const WeightMap& map, const std::function<void(const HashedWeight&)>& f) const override;
  SourceContents contents() const override;
  bool as_trained() const override { return false; }  // a file says nothing of what its floats were rounded from

 private:
  WeightTensor view_of(const TensorInfo& tensor) const;
  void release(std::span<const std::byte> data) const noexcept;

  const GgufReader& file_;
  const MappedFile& map_;
};

}  // namespace quern
