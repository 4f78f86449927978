#include "models/model.h"

#include <algorithm>
#include <cstring>

#include "error.h"

namespace quern {

int64_t Batch::longest() const {
  int64_t longest = 0;
  for (const Sequence& text : texts) longest = std::max(longest, text.length);
  return longest;
}

const char* task_name(Task task) {
  constexpr const char* names[] = {"sequence classification", "token classification", "masked language modelling"};
  return names[static_cast<size_t>(task)];
}

HeadLayers Model::head(Task task) const {
  throw Error(Status::unsupported, std::string("quern knows no head for ") + task_name(task) + " of this architecture");
}

Tensor forward(const Model& model, Ops& op, Batch batch, const std::function<void(int, const Tensor&)>& after) {
  Tensor x = op.tensor(static_cast<int64_t>(batch.ids.size()), model.width());
  const size_t bytes = static_cast<size_t>(x.rows * x.cols) * sizeof(float);
  // Each step's scratch is released before the next, so that all layers run in the same (cached) memory.
  const auto step = [&](int i, auto&& run) {
    Arena::Scope scope(op.arena());
    const Tensor y = run();
    if (y.data != x.data) std::memcpy(x.data, y.data, bytes);
    if (after && i < model.layers()) after(i, x);
  };
  model.prepare(op, batch);
  step(-1, [&] { return model.embed(op, batch); });
  for (int i = 0; i < model.layers(); ++i) step(i, [&] { return model.layer(op, batch, i, x); });
  step(model.layers(), [&] { return model.finish(op, x); });
  return x;
}

}  // namespace quern
