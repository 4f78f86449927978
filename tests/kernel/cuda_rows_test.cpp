// The emulated CUDA device: operators over rows.
#include "cuda_ops.h"

namespace quern::test {
namespace {

constexpr Activation kActivations[] = {Activation::gelu, Activation::gelu_tanh, Activation::relu,
                                       Activation::silu, Activation::tanh,      Activation::sigmoid};

struct Shape {
  int64_t rows, cols;
};
constexpr Shape kShapes[] = {{1, 1}, {3, 7}, {9, 16}, {5, 33}, {17, 96}, {2, 1030}};

}  // namespace

TEST_CASE("cuda: what goes value by value is the host's") {
  for (const auto& [rows, cols] : kShapes) {
    const std::vector<float> x = some(1, rows * cols, Values::outlier), y = some(2, rows * cols);
    const std::string name = std::to_string(rows) + " x " + std::to_string(cols);
    const auto in_place = [&](const std::function<void(Ops&, Tensor, const Tensor&)>& run) {
      return [&, run](Ops& op) {
        const Ops::Scope scope(op);
        const Tensor a = tensor_of(op, x, rows, cols), b = tensor_of(op, y, rows, cols);
        run(op, a, b);
        return numbers_of(op, a);
      };
    };
    check_alike("scale " + name, in_place([](Ops& op, Tensor a, const Tensor&) { op.scale(a, 0.3f); }));
    check_alike("add " + name, in_place([](Ops& op, Tensor a, const Tensor& b) { op.add(a, b); }));
    check_alike("softcap " + name, in_place([](Ops& op, Tensor a, const Tensor&) { op.softcap(a, 5.0f); }));
    check_alike("normalize " + name, in_place([](Ops& op, Tensor a, const Tensor&) { op.normalize(a); }));
    check_alike("copy " + name, in_place([](Ops& op, Tensor a, const Tensor& b) { op.copy(b, a); }));
    for (const Activation activation : kActivations)
      check_alike("gate " + name, in_place([&](Ops& op, Tensor a, const Tensor& b) { op.gate(a, b, activation); }));
    check_alike("transpose " + name, [&](Ops& op) {
      const Ops::Scope scope(op);
      return numbers_of(op, op.transpose(tensor_of(op, x, rows, cols)));
    });
  }
}

TEST_CASE("cuda: norms are the host's") {
  for (const auto& [rows, cols] : kShapes) {
    const std::vector<float> x = some(3, rows * cols, Values::outlier), weight = some(4, cols), bias = some(5, cols);
    for (const bool biased : {false, true}) {
      const Norm norm{weight.data(), biased ? bias.data() : nullptr};
      check_alike("layer norm of " + std::to_string(cols), [&](Ops& op) {
        const Ops::Scope scope(op);
        return numbers_of(op, op.layer_norm(tensor_of(op, x, rows, cols), norm, 1e-12f));
      });
    }
    check_alike("rms norm of " + std::to_string(cols), [&](Ops& op) {
      const Ops::Scope scope(op);
      return numbers_of(op, op.rms_norm(tensor_of(op, x, rows, cols), {weight.data(), nullptr}, 1e-6f));
    });
  }
  const std::vector<float> x = some(6, 5 * 60), weight = some(7, 20);
  check_alike("norm of heads", [&](Ops& op) {
    const Ops::Scope scope(op);
    const Tensor a = tensor_of(op, x, 5, 60);
    op.norm_heads(a, 3, {weight.data(), nullptr}, 1e-6f);
    return numbers_of(op, a);
  });
}

TEST_CASE("cuda: columns and rows of a tensor are its own") {
  const std::vector<float> x = some(8, 7 * 40);
  check_alike("columns", [&](Ops& op) {
    const Ops::Scope scope(op);
    const Tensor a = tensor_of(op, x, 7, 40);
    op.scale(a.columns(3, 30).slice(2, 4), 2.0f);
    op.write(std::vector<float>(2 * 5, 1.5f), a.columns(1, 5).slice(5, 2));
    std::vector<float> all = numbers_of(op, a);
    const std::vector<float> part = numbers_of(op, a.columns(9, 11).slice(1, 5));
    all.insert(all.end(), part.begin(), part.end());
    return all;
  });
}

TEST_CASE("cuda: tables of every type are looked up, and rows gathered") {
  constexpr int64_t rows = 11, cols = 64;
  const std::vector<float> values = some(9, rows * cols), others = some(10, 3 * cols);
  const Table second{find_type("f32"), others.data(), 3, cols};
  const std::vector<int32_t> ids = {3, 0, 10, 10, 7}, of_second = {0, -1, 2, 1, -1};
  for (const TypeInfo* type : all_types()) {
    if (!type->rows || !type->encode) continue;
    std::vector<char> data(static_cast<size_t>(rows) * type->row_bytes(cols));
    for (int64_t i = 0; i < rows; ++i)
      type->encode(values.data() + i * cols, data.data() + static_cast<size_t>(i) * type->row_bytes(cols), cols);
    const Table table{type, data.data(), rows, cols};
    check_alike(type->name, [&](Ops& op) {
      const Ops::Scope scope(op);
      const Ops::Lookup both[] = {{table, ids}, {second, of_second}};
      const int64_t order[] = {4, 0, 0, 2};
      return numbers_of(op, op.gather(op.lookup(both), order));
    });
  }
}

TEST_CASE("cuda: texts are pooled as on the host") {
  constexpr int64_t D = 300;
  const std::vector<float> x = some(11, 12 * D);
  const Sequence texts[] = {{0, 5}, {5, 0}, {5, 1}, {6, 6}};
  for (const Pooling mode :
       {Pooling::first, Pooling::last, Pooling::max, Pooling::mean, Pooling::mean_sqrt_len, Pooling::weighted_mean})
    check_alike("pooling " + std::to_string(static_cast<int>(mode)), [&](Ops& op) {
      const Ops::Scope scope(op);
      return numbers_of(op, op.pool(tensor_of(op, x, 12, D), texts, mode));
    });
}

TEST_CASE("cuda: rotary positions are the host's") {
  const std::vector<float> x = some(12, 9 * 36), frequencies = {1.0f, 0.3f, 0.02f};
  const Sequence texts[] = {{0, 4}, {4, 5}};
  for (const bool pairs : {false, true})
    check_alike("rotary", [&](Ops& op) {
      const Ops::Scope scope(op);
      const Tensor a = tensor_of(op, x, 9, 36);
      const Rotary by = op.rotary(
          texts, [&](const Sequence&) { return std::span<const float>(frequencies); }, 1.5f);
      op.rotate(a, by, 4, pairs);
      return numbers_of(op, a);
    });
}

}  // namespace quern::test
