#include "models/weight_map.h"

#include <algorithm>
#include <new>

#include "os/memory.h"

namespace quern {

WeightSpec& WeightMap::linear(Linear& to, const std::string& gguf, std::vector<WeightSpec::Part> parts, int64_t K,
                              bool bias, const std::string& hf_whole) {
  WeightSpec spec{
      .kind = WeightSpec::Kind::linear, .name = gguf_ + gguf, .parts = std::move(parts), .N = 0, .K = K, .bias = bias};
  for (WeightSpec::Part& part : spec.parts) {
    part.gguf = gguf_ + part.gguf;
    part.hf = hf_ + part.hf;
    spec.N += part.N;
  }
  if (!hf_whole.empty()) spec.hf_whole = hf_ + hf_whole;
  spec.linear = &to;
  return specs.emplace_back(std::move(spec));
}

WeightSpec& WeightMap::norm(Norm& to, const std::string& gguf, const std::string& hf, int64_t D, bool bias) {
  WeightSpec spec{.kind = WeightSpec::Kind::norm,
                  .name = gguf_ + gguf,
                  .parts = {{gguf_ + gguf, hf_ + hf, D}},
                  .N = D,
                  .K = 1,
                  .bias = bias};
  spec.norm = &to;
  return specs.emplace_back(std::move(spec));
}

WeightSpec& WeightMap::vector(const float*& to, const std::string& name, int64_t n, const std::vector<float>& made) {
  Norm none;
  WeightSpec& spec = norm(none, name, name, n, false);
  spec.norm = nullptr;
  spec.vector = &to;
  spec.optional = true;
  spec.made = made;
  return spec;
}

WeightSpec& WeightMap::table(Table& to, const std::string& gguf, const std::string& hf, int64_t rows, int64_t cols,
                             bool always_f32) {
  WeightSpec spec{.kind = WeightSpec::Kind::table,
                  .name = gguf_ + gguf,
                  .parts = {{gguf_ + gguf, hf_ + hf, rows}},
                  .N = rows,
                  .K = cols,
                  .bias = false,
                  .always_f32 = always_f32};
  spec.table = &to;
  return specs.emplace_back(std::move(spec));
}

void WeightMap::begin_layer(int i, const std::string& hf) {
  gguf_ = "blk." + std::to_string(i) + '.';
  hf_ = hf + std::to_string(i) + '.';
  if (!layers.empty()) layers.back().end = specs.size();
  layers.push_back({specs.size(), specs.size()});
}

void WeightMap::end_layer() {
  gguf_.clear();
  hf_.clear();
  if (!layers.empty()) layers.back().end = specs.size();
}

void WeightStore::Free::operator()(void* p) const {
  os::free_aligned(p);
}

std::vector<Linear*> WeightMap::linears() const {
  std::vector<Linear*> all;
  for (const WeightSpec& spec : specs)
    if (spec.linear) all.push_back(spec.linear);
  return all;
}

void* WeightStore::aligned(size_t bytes) {
  constexpr size_t kPage = size_t{2} << 20, kChunk = size_t{64} << 20;  // what is not used of a chunk stays untouched
  bytes = (bytes + 63) & ~size_t{63};
  bytes_ += bytes;
  if (bytes > left_) {
    const size_t size = std::max(kChunk, (bytes + kPage - 1) & ~(kPage - 1));
    void* p = os::aligned_memory(kPage, size);
    if (!p) throw std::bad_alloc();
    chunks_.emplace_back(p);
    os::prefer_huge_pages(p, size);
    free_ = static_cast<char*>(p);
    left_ = size;
  }
  void* const p = free_;
  free_ += bytes;
  left_ -= bytes;
  return p;
}

std::string shape_text(const int64_t* extents, size_t n) {
  std::string text = "[";
  for (size_t i = 0; i < n; ++i) text += (i ? ", " : "") + std::to_string(extents[i]);
  return text + "]";
}

}  // namespace quern
