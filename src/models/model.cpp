#include "models/model.h"

#include <cstring>

namespace quern {

Tensor forward(const Model& model, Ops& op, const Batch& batch, const std::function<void(int, const Tensor&)>& after) {
  Tensor x = op.tensor(static_cast<int64_t>(batch.ids.size()), model.width());
  const size_t bytes = static_cast<size_t>(x.rows * x.cols) * sizeof(float);
  // Each step's scratch is released before the next, so that all layers run in the same (cached) memory.
  const auto step = [&](int i, auto&& run) {
    Arena::Scope scope(op.arena());
    const Tensor y = run();
    if (y.data != x.data) std::memcpy(x.data, y.data, bytes);
    if (after && i < model.layers()) after(i, x);
  };
  step(-1, [&] { return model.embed(op, batch); });
  for (int i = 0; i < model.layers(); ++i) step(i, [&] { return model.layer(op, batch, i, x); });
  step(model.layers(), [&] { return model.finish(op, x); });
  return x;
}

}  // namespace quern
