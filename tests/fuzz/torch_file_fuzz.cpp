// Any bytes as a file of torch.save's: the reader may throw Error and nothing else; what it accepts must be consistent.
#include <cstdint>
#include <cstdlib>

#include "error.h"
#include "safetensors/torch_file.h"

using namespace quern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const Safetensors st = read_torch_file(std::as_bytes(std::span(data, size)), "fuzz", "linear.");
    unsigned sum = 0;
    for (const StTensor& tensor : st.tensors()) {
      if (!tensor.name.starts_with("linear.") || st.find(tensor.name) != &tensor) std::abort();
      const auto elements = static_cast<uint64_t>(tensor.elements());
      if (elements * safetensors_dtype_bits(tensor.dtype) != tensor.data.size() * uint64_t{8}) std::abort();
      if (tensor.data.size() > size) std::abort();
      for (const std::byte b : tensor.data) sum += static_cast<unsigned>(b);
    }
    volatile unsigned sink = sum;
    (void)sink;
  } catch (const Error&) {
  }
  return 0;
}
