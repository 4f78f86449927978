// The tensors that a pickled state_dict describes, read without executing it. See torch_file.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace quern {

struct PickledTensor {
  std::string storage;                 // its key
  std::string dtype;                   // F16 F32 BF16
  int64_t offset = 0;                  // elements
  std::vector<int64_t> shape, stride;  // of the same length
};

// name: of the file, for messages. Throws Error bad_file or unsupported.
std::map<std::string, PickledTensor> read_state_dict(std::span<const std::byte> pickle, const std::string& name);

}  // namespace quern
