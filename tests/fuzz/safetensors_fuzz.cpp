// Any bytes as a safetensors file: the reader may throw Error and nothing else; what it accepts must be consistent.
#include <cstdint>
#include <cstdlib>

#include "error.h"
#include "safetensors/safetensors.h"

using namespace quern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const Safetensors st = Safetensors::from_bytes(std::as_bytes(std::span(data, size)), "fuzz");
    unsigned sum = 0;
    size_t bytes = 0;
    for (const StTensor& tensor : st.tensors()) {
      if (st.find(tensor.name) != &tensor) std::abort();
      const auto elements = static_cast<uint64_t>(tensor.elements());
      if (elements * safetensors_dtype_bits(tensor.dtype) != tensor.data.size() * uint64_t{8}) std::abort();
      bytes += tensor.data.size();
      for (const std::byte b : tensor.data) sum += static_cast<unsigned>(b);
    }
    if (bytes > size) std::abort();
    volatile unsigned sink = sum;
    (void)sink;
  } catch (const Error&) {
  }
  return 0;
}
