// A Hugging Face folder → a model file. Streams tensor by tensor, layer by layer: memory stays near the largest
// tensor's.
#pragma once
#include <functional>
#include <string>

namespace quern {

struct ConvertOptions {
  std::string type;                     // a name of written_types(); empty: from the output's extension, else q8
  std::string calibration;              // file of texts, one per line; empty: the built-in ones
  std::string self_test;                // one more text for the stored self-test
  int threads = 0;                      // 0: all usable
  size_t gram_bytes = size_t{1} << 30;  // for what calibration keeps of a layer's inputs; see calibration.h
  // done of total, in the same unit; false cancels (Error{bad_argument}).
  std::function<bool(double done, double total, const char* what)> progress;
};

// Throws Error. Nothing is left at `output` unless the whole file was written.
void convert(const std::string& folder, const std::string& output, const ConvertOptions& options);

}  // namespace quern
