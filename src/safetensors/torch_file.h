// Reads the tensors of a file that torch.save wrote with a state_dict in it, for the two head files of bge-m3 that
// exist in no other form. A trust boundary: the pickle inside is not executed. The few instructions that a state_dict
// needs are followed, the few names in it are looked up in a fixed list, everything else is refused.
#pragma once
#include "safetensors/safetensors.h"

namespace quern {

// Tensors are named prefix + their name in the file. Bounds: 16 MB of pickle, 10,000 tensors, names of 1024 bytes.
// Throws Error: not_found, bad_file, unsupported (an instruction, a name or a dtype off the list; compressed entries).
Safetensors open_torch_file(const std::string& path, const std::string& prefix);

// The same from bytes, which must outlive the result: for tests and fuzzing.
Safetensors read_torch_file(std::span<const std::byte> bytes, const std::string& name, const std::string& prefix);

}  // namespace quern
