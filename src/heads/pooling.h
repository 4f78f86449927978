// Poolings: one text's last hidden states → one vector of the same width. A new mode is a function and its line.
#pragma once
#include <string>
#include <vector>

#include "kernels.h"
#include "tensor.h"

namespace quern {

// hidden: (L, D), L >= 1; out: D floats.
using Pooling = void (*)(const KernelTable& kernels, const Tensor& hidden, float* out);

// name: the model's file, for the message. Throws Error{bad_argument} for a mode that does not exist.
Pooling find_pool(const std::string& mode, const std::string& name);

// The names of all modes, in the order in which several are concatenated.
std::vector<std::string> pooling_modes();

// x / max(|x|, 1e-12), as torch's normalize.
void normalize(const KernelTable& kernels, float* x, int64_t n);

}  // namespace quern
