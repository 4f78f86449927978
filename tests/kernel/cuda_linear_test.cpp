// The emulated CUDA device: products with weights of every type that it has kernels for.
#include "cuda_ops.h"

namespace quern::test {
namespace {

// A linear of one type, or of parts, with all that may come with it.
struct Layer {
  Layer(const std::vector<const char*>& types, int64_t N, int64_t K, bool smooth) {
    linear.N = N * static_cast<int64_t>(types.size()), linear.K = K;
    bias = some(20, linear.N);
    factors = some(21, K, Values::extreme);
    for (float& f : factors) f = std::fabs(f) * 0.5f;
    for (const char* name : types) {
      const TypeInfo& type = *find_type(name);
      const std::vector<float> w = some(22 + static_cast<unsigned>(linear.parts.size()), N * K);
      Linear::Part part;
      part.w = {.type = &type, .N = N, .K = K};
      part.first = N * static_cast<int64_t>(linear.parts.size());
      void* arrays[4] = {};
      for (int i = 0; i < type.n_arrays; ++i) {
        const size_t bytes = type.arrays[i].bytes(N, K);
        memory.emplace_back(static_cast<char*>(::operator new (bytes + 64, std::align_val_t{64})), free_aligned);
        std::memset(memory.back().get(), 0, bytes + 64);
        part.w.arrays[i] = arrays[i] = memory.back().get();
      }
      type.pack(w.data(), N, K, 0, N, {}, arrays);
      linear.parts.push_back(part);
    }
    linear.bias = bias.data();
    if (smooth) linear.smooth = factors.data();
  }
  static void free_aligned(char* p) { ::operator delete (p, std::align_val_t{64}); }

  Linear linear;
  std::vector<float> bias, factors;
  std::vector<std::unique_ptr<char, void (*)(char*)>> memory;
};

void check_linear(const std::vector<const char*>& types, int64_t M, int64_t N, int64_t K, bool smooth = false,
                  Activation activation = Activation::none, bool residual = false) {
  const Layer layer(types, N, K, smooth);
  const std::vector<float> x = some(30, M * K, Values::outlier), added = some(31, M * layer.linear.N);
  check_alike(std::string(types[0]) + " " + std::to_string(M) + " x " + std::to_string(N) + " x " + std::to_string(K),
              [&](Ops& op) {
                const Ops::Scope scope(op);
                const Tensor onto = tensor_of(op, added, M, layer.linear.N);
                return numbers_of(
                    op, op.linear(tensor_of(op, x, M, K), layer.linear, activation, residual ? &onto : nullptr));
              });
}

}  // namespace

TEST_CASE("cuda: q8's products are the host's") {
  check_linear({"q8"}, 1, 1, 1);
  check_linear({"q8"}, 3, 5, 130, true, Activation::gelu, true);
  check_linear({"q8"}, 33, 70, 96, false, Activation::silu);
  check_linear({"q8"}, 17, 64, 300, false, Activation::none, true);
  check_linear({"q8_g256"}, 5, 20, 256);
  check_linear({"q8_g256"}, 35, 66, 600, true, Activation::gelu_tanh, true);
}

TEST_CASE("cuda: q8's wide tiles are the host's") {
  check_linear({"q8"}, 130, 4100, 70, false, Activation::relu, true);
  check_linear({"q8_g256"}, 130, 4100, 300, true);
}

TEST_CASE("cuda: products with floats are the host's") {
  for (const char* type : {"f32", "f16", "bf16"}) {
    check_linear({type}, 1, 1, 1);
    check_linear({type}, 3, 5, 37, true, Activation::gelu, true);
    check_linear({type}, 70, 35, 100, false, Activation::tanh);
  }
}

TEST_CASE("cuda: a linear in parts of several types is the host's") {
  check_linear({"q8", "f16", "q8", "q8_g256"}, 4, 20, 272, true, Activation::sigmoid, true);
}

TEST_CASE("cuda: types without kernels are refused by name") {
  const Layer layer({"q4"}, 16, 64, false);
  const cuda::CudaDevice device(emulated_runtime());
  Linear* const linears[] = {const_cast<Linear*>(&layer.linear)};
  try {
    device.adopt(linears);
    FAIL("it was taken");
  } catch (const Error& e) {
    CHECK(e.status == Status::unsupported);
    CHECK_THAT(e.message, Catch::Contains("q4") && Catch::Contains("--device cpu"));
  }
}

TEST_CASE("cuda: no room for weights is an error that says how much there is") {
  const Layer layer({"f32"}, 1000, 1000, false);
  const cuda::CudaDevice device(emulated_runtime({.memory = 2 << 20}));
  Linear* const linears[] = {const_cast<Linear*>(&layer.linear)};
  CHECK(device.bytes_of(layer.linear) == 1000 * 1000 * 4 + 1000 * 4);
  try {
    device.adopt(linears);
    FAIL("it was taken");
  } catch (const Error& e) {
    CHECK(e.status == Status::out_of_memory);
    CHECK_THAT(e.message, Catch::Contains("4 MiB") && Catch::Contains("2 MiB are free"));
  }
}

TEST_CASE("cuda: a device that is lost is an error, each time") {
  const cuda::CudaDevice device(emulated_runtime({.launches = 2}));
  const std::unique_ptr<Ops> op = device.ops({});
  const Tensor x = tensor_of(*op, some(40, 12), 3, 4);
  op->scale(x, 2);
  for (int i = 0; i < 2; ++i) {
    try {
      op->scale(x, 2);
      FAIL("it ran");
    } catch (const Error& e) {
      CHECK(e.status == Status::internal);
      CHECK_THAT(e.message, Catch::Contains("CUDA device failed"));
    }
  }
}

}  // namespace quern::test
