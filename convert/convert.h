// A Hugging Face folder → a model file. Streams tensor by tensor, layer by layer: memory stays near the largest
// tensor's.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "adapters/merged_adapters.h"

namespace quern {

struct ConvertOptions {
  std::string type;                     // a name of written_types(); empty: from the output's extension, else q8
  std::string calibration;              // file of texts, one per line; empty: the built-in ones
  std::string self_test;                // one more text for the stored self-test
  int threads = 0;                      // 0: all usable
  size_t gram_bytes = size_t{1} << 30;  // for what calibration keeps of a layer's inputs; see calibration.h
  std::vector<AdapterToMerge> adapters;
  std::function<void(const std::string& note)> note;  // what is no error and still should be known; or null
  // done of total, in the same unit; false cancels (Error{bad_argument}).
  std::function<bool(double done, double total, const char* what)> progress;
};

// Throws Error. Nothing is left at `output` unless the whole file was written.
void convert(const std::string& folder, const std::string& output, const ConvertOptions& options);

bool is_written_type(const std::string& name);
std::string written_type_names();  // "f32, f16, …"

}  // namespace quern
