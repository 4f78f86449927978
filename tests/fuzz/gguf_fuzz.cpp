// Any bytes as a GGUF file: the reader may throw Error and nothing else; what it accepts must be readable throughout.
#include <cstdlib>

#include "error.h"
#include "gguf/reader.h"

using namespace quern;

namespace {

template <class F>
void attempt(F&& f) {
  try {
    f();
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const GgufReader reader(std::as_bytes(std::span(data, size)), "fuzz");
    for (const GgufKey& key : reader.keys()) {
      if (!reader.has(key.name)) std::abort();
      gguf_type_text(key);
      gguf_value_text(key);
      attempt([&] { reader.get_uint(key.name); });
      attempt([&] { reader.get_int(key.name); });
      attempt([&] { reader.get_float(key.name); });
      attempt([&] { reader.get_bool(key.name); });
      attempt([&] { reader.get_string(key.name); });
      attempt([&] { reader.get_strings(key.name); });
      attempt([&] { reader.get_array<int32_t>(key.name).to_vector(); });
      attempt([&] { reader.get_array<uint32_t>(key.name).to_vector(); });
      attempt([&] { reader.get_array<float>(key.name).to_vector(); });
      attempt([&] { reader.get_array<uint8_t>(key.name).to_vector(); });
    }
    unsigned sum = 0;
    for (const TensorInfo& tensor : reader.tensors()) {
      if (reader.find(tensor.name) != &tensor) std::abort();
      for (const std::byte b : tensor.data) sum += static_cast<unsigned>(b);
    }
    volatile unsigned sink = sum;
    (void)sink;
  } catch (const Error&) {
  }
  return 0;
}
