// How .npy stores a vector's values: as they are, or smaller, with the results of sentence-transformers'
// quantize_embeddings.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cli {

class ValueCoder {
 public:
  virtual ~ValueCoder() = default;
  virtual const char* descr() const = 0;  // numpy's name of the type
  virtual int64_t width() const = 0;      // values of a stored row
  // Appends what n rows become to `out`; it may hold rows back until it has seen enough of them, which flush appends.
  virtual void encode(const float* rows, int64_t n, std::string& out) = 0;
  virtual void flush(std::string&) {}
  // What it has learned of the first rows, nullopt while it holds some back; and that of an earlier run.
  virtual std::optional<std::vector<float>> learned() const { return std::vector<float>(); }
  virtual void learn(std::vector<float>) {}
  virtual std::string note() const { return {}; }  // what a user should know of the result
};

// Of --precision.
std::vector<std::string> precisions();

// ranges: a .npy with the least and the greatest value of each dimension, for int8 and uint8; empty: those of the first
// 8,192 rows. width: floats a row. Throws Failure.
std::unique_ptr<ValueCoder> value_coder(const std::string& precision, const std::string& ranges, int64_t width);

// The least values, then the greatest, of a .npy of --ranges. Throws Failure.
std::vector<float> read_ranges(const std::string& path, int64_t width);

}  // namespace cli
