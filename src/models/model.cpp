#include "models/model.h"

#include <algorithm>

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

namespace {

// The texts' changes to linears, those of neighbours that have the same ones together.
std::vector<ChangedRows> changed_rows(std::span<const Sequence> texts) {
  std::vector<ChangedRows> rows;
  for (const Sequence& text : texts) {
    if (!text.changes) continue;
    if (!rows.empty() && rows.back().by == text.changes && rows.back().first + rows.back().rows == text.first)
      rows.back().rows += text.length;
    else
      rows.push_back({text.first, text.length, text.changes});
  }
  return rows;
}

// One side of a placement: the states that its layers go through, and what they share. Linears have the texts' changes
// as long as it lives: what follows the layers has rows of its own, and no changes.
struct Stage {
  const Model& model;
  Ops& op;
  Batch batch;
  Tensor x;
  const std::vector<ChangedRows> changed;

  Stage(const Model& model, Ops& op, const Batch& batch)
      : model(model),
        op(op),
        batch(batch),
        x(op.tensor(static_cast<int64_t>(batch.ids.size()), model.width())),
        changed(changed_rows(batch.texts)) {
    model.prepare(op, this->batch);
    op.change_rows(changed);
  }
  ~Stage() { op.change_rows({}); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  // Each step's scratch is released before the next, so that all layers run in the same (cached) memory.
  template <class Run>
  void step(int i, const AfterLayer& after, const Run& run) {
    Ops::Scope scope(op);
    op.copy(run(), x);
    if (after && i < model.layers()) after(i, op, x);
  }
  void layers(int first, int last, const AfterLayer& after) {
    for (int i = first; i < last; ++i) step(i, after, [&] { return model.layer(op, batch, i, x); });
  }
};

}  // namespace

Tensor forward(const Model& model, const Placement& placement, const Batch& batch, const AfterLayer& after) {
  const int n = model.layers(), on_host = placement.device ? std::min(placement.first_on_device, n) : n;
  const auto begin = [&](Stage& stage) { stage.step(-1, after, [&] { return model.embed(stage.op, stage.batch); }); };
  const auto end = [&](Stage& stage) {
    stage.step(n, after, [&] { return model.output_norm(stage.op, stage.x); });
    return stage.x;
  };
  if (placement.device && placement.first_on_device < 0) {
    Stage all(model, *placement.device, batch);
    begin(all);
    all.layers(0, n, after);
    return end(all);
  }
  Stage host(model, placement.host, batch);
  begin(host);
  host.layers(0, on_host, after);
  if (!placement.device) return end(host);
  Stage device(model, *placement.device, batch);
  std::vector<float> room;
  device.op.write(host.op.read(host.x, room), device.x);
  device.layers(on_host, n, after);
  return end(device);
}

}  // namespace quern
