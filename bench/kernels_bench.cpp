// Matrix products of every weight type × every ISA that this CPU runs, at the shapes of MiniLM's layers, and the float
// kernels between them. Reports multiply-accumulates per second; new types and ISAs need no edit here.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "dispatch.h"

using namespace quern;

namespace {

struct Free {
  void operator()(void* p) const { ::operator delete (p, std::align_val_t{64}); }
};
using Buffer = std::unique_ptr<void, Free>;
Buffer aligned(size_t bytes) {
  Buffer b(::operator new (bytes + 64, std::align_val_t{64}));
  std::memset(b.get(), 0, bytes + 64);
  return b;
}

std::vector<float> noise(size_t n) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> v(n);
  for (float& f : v) f = normal(random);
  return v;
}

void product(benchmark::State& state, const KernelTable& table, const TypeInfo& type, int64_t M, int64_t N, int64_t K) {
  const TypeKernels& kernels = table.types[type_index(type)];
  const std::vector<float> weights = noise(static_cast<size_t>(N * K)), x = noise(static_cast<size_t>(M * K));
  Matrix w{.type = &type, .N = N, .K = K, .arrays = {}};
  std::vector<Buffer> buffers;
  void* arrays[4] = {};
  for (int i = 0; i < type.n_arrays; ++i) {
    buffers.push_back(aligned(type.arrays[i].bytes(N, K)));
    w.arrays[i] = arrays[i] = buffers.back().get();
  }
  if (type.pack)  // else zeros, which take as long
    type.pack(weights.data(), N, K, 0, N, {}, arrays);
  if (type.make_panels) {
    void* panels[4] = {};
    for (int i = 0; i < 4 && type.panel_bytes(N, K, i) > 0; ++i) {
      buffers.push_back(aligned(type.panel_bytes(N, K, i)));
      w.arrays[i] = panels[i] = buffers.back().get();
    }
    type.make_panels(arrays[0], N, K, 0, N, panels);
  }
  const size_t row = kernels.row_bytes(K);
  const Buffer rows = aligned(row * static_cast<size_t>(M));
  for (int64_t m = 0; m < M; ++m)
    kernels.prepare(x.data() + m * K, nullptr, K, static_cast<char*>(rows.get()) + static_cast<size_t>(m) * row);
  std::vector<float> y(static_cast<size_t>(M * N));
  const std::shared_ptr<const void> own = kernels.adopt ? kernels.adopt(w) : nullptr;
  w.adopted = own.get();
  const Buffer scratch = aligned(kernels.scratch_bytes ? kernels.scratch_bytes(w) : 0);
  for (auto _ : state) {
    kernels.multiply(rows.get(), M, w, 0, N, {}, y.data(), N, scratch.get());
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  state.counters["MAC/s"] =
      benchmark::Counter(static_cast<double>(M * N * K), benchmark::Counter::kIsIterationInvariantRate);
}

void limit(benchmark::State& state, const KernelTable& table) {
  double macs = 0;
  for (auto _ : state) macs = table.int8_limit(1000);
  state.counters["MAC/s"] = benchmark::Counter(macs, benchmark::Counter::kIsIterationInvariantRate);
}

void attention(benchmark::State& state, const AttentionKernel& kernel, int64_t L, int64_t d) {
  const std::vector<float> qkv = noise(static_cast<size_t>(3 * L * d));
  std::vector<float> out(static_cast<size_t>(L * d));
  const Buffer scratch = aligned(kernel.scratch_bytes(L, d));
  const float* x = qkv.data();
  for (auto _ : state) {
    kernel.run({x, x + d, x + 2 * d, 3 * d, L, d, 0.125f, out.data(), d, L, L}, scratch.get());
    benchmark::ClobberMemory();
  }
  state.counters["MAC/s"] =
      benchmark::Counter(static_cast<double>(2 * L * L * d), benchmark::Counter::kIsIterationInvariantRate);
}

void prepare(benchmark::State& state, const KernelTable& table, const TypeInfo& type, int64_t K) {
  const TypeKernels& kernels = table.types[type_index(type)];
  const std::vector<float> x = noise(static_cast<size_t>(K)), smooth(static_cast<size_t>(K), 1.5f);
  const Buffer row = aligned(kernels.row_bytes(K));
  for (auto _ : state) {
    kernels.prepare(x.data(), smooth.data(), K, row.get());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * K);
}

void gelu(benchmark::State& state, const KernelTable& table) {
  const int64_t n = 1536;
  const std::vector<float> x = noise(static_cast<size_t>(n)), bias = noise(static_cast<size_t>(n));
  std::vector<float> y = x;
  for (auto _ : state) {
    std::memcpy(y.data(), x.data(), y.size() * sizeof(float));
    table.epilogue(y.data(), 1, n, n, {.bias = bias.data(), .activation = Activation::gelu});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * n);
}

void layer_norm(benchmark::State& state, const KernelTable& table) {
  const int64_t n = 384;
  const std::vector<float> x = noise(static_cast<size_t>(n)), w = noise(static_cast<size_t>(n));
  std::vector<float> y(x.size());
  for (auto _ : state) {
    table.layer_norm(x.data(), w.data(), w.data(), 1e-12f, n, y.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * n);
}

void softmax(benchmark::State& state, const KernelTable& table) {
  const int64_t n = 256;
  const std::vector<float> x = noise(static_cast<size_t>(n));
  std::vector<float> y(x.size());
  for (auto _ : state) {
    std::memcpy(y.data(), x.data(), y.size() * sizeof(float));
    benchmark::DoNotOptimize(table.softmax(y.data(), n, 0.2f));
  }
  state.SetItemsProcessed(state.iterations() * n);
}

void register_all() {
  const int64_t shapes[][3] = {{128, 1152, 384}, {128, 1536, 384}, {128, 384, 1536}, {1, 1536, 384},
                               {96, 2048, 2048}, {1, 2048, 2048},  {8, 2048, 2048},  {1, 98304, 1024}};
  for (const KernelTable* table : built_kernels()) {
    if (!table->runs_here()) continue;
    const std::string isa = table->name;
    for (const TypeInfo* type : all_types()) {
      for (const auto& [M, N, K] : shapes) {
        if (K % type->k_multiple != 0) continue;
        benchmark::RegisterBenchmark(
            ("product/" + isa + '/' + type->name + '/' + std::to_string(M) + 'x' + std::to_string(N) + 'x' +
             std::to_string(K))
                .c_str(),
            [=, M = M, N = N, K = K](benchmark::State& s) { product(s, *table, *type, M, N, K); });
      }
      benchmark::RegisterBenchmark(("prepare/" + isa + '/' + type->name).c_str(),
                                   [=](benchmark::State& s) { prepare(s, *table, *type, 768); });
    }
    benchmark::RegisterBenchmark(("limit/" + isa).c_str(), [=](benchmark::State& s) { limit(s, *table); });
    for (const int64_t L : {32, 128, 512}) {
      const std::string size = '/' + std::to_string(L) + "x32";
      benchmark::RegisterBenchmark(("attention/" + isa + "/f32" + size).c_str(),
                                   [=](benchmark::State& s) { attention(s, table->attention_f32, L, 32); });
      benchmark::RegisterBenchmark(("attention/" + isa + "/i16" + size).c_str(),
                                   [=](benchmark::State& s) { attention(s, table->attention_i16, L, 32); });
    }
    benchmark::RegisterBenchmark(("gelu/" + isa).c_str(), [=](benchmark::State& s) { gelu(s, *table); });
    benchmark::RegisterBenchmark(("layer_norm/" + isa).c_str(), [=](benchmark::State& s) { layer_norm(s, *table); });
    benchmark::RegisterBenchmark(("softmax/" + isa).c_str(), [=](benchmark::State& s) { softmax(s, *table); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  for (const KernelTable* table : built_kernels())
    if (!table->runs_here())
      benchmark::AddCustomContext("skipped", std::string(table->name) + " cannot run on this CPU");
  register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
