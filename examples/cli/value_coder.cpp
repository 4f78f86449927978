#include "value_coder.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "common.h"
#include "os/files.h"

namespace cli {
namespace {

constexpr int64_t kRangeRows = 8192;

class Floats final : public ValueCoder {
 public:
  explicit Floats(int64_t width) : width_(width) {}
  const char* descr() const override { return "<f4"; }
  int64_t width() const override { return width_; }
  void encode(const float* rows, int64_t n, std::string& out) override {
    out.append(reinterpret_cast<const char*>(rows), static_cast<size_t>(n * width_) * sizeof(float));
  }

 private:
  int64_t width_;
};

// Nearest, ties to even, as numpy's float16.
uint16_t half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return static_cast<uint16_t>(sign | 0x7E00);
  if (magnitude >= 0x477FF000) return static_cast<uint16_t>(sign | 0x7C00);  // from 65520 on: infinity
  if (magnitude < 0x38800000) {                                              // subnormal: units of 2^-24
    const float scaled = std::bit_cast<float>(magnitude) * 0x1p24F;
    return static_cast<uint16_t>(sign | static_cast<uint32_t>(std::nearbyintf(scaled)));
  }
  const uint32_t even = magnitude >> 13 & 1;
  return static_cast<uint16_t>(sign | (magnitude - 0x38000000 + 0xFFF + even) >> 13);
}

class Halves final : public ValueCoder {
 public:
  explicit Halves(int64_t width) : width_(width) {}
  const char* descr() const override { return "<f2"; }
  int64_t width() const override { return width_; }
  void encode(const float* rows, int64_t n, std::string& out) override {
    for (int64_t i = 0; i < n * width_; ++i) {
      const uint16_t value = half(rows[i]);
      out += {static_cast<char>(value & 0xFF), static_cast<char>(value >> 8)};
    }
  }

 private:
  int64_t width_;
};

// A bit per value, 1 above 0, the first one highest; packed bytes less 128 where they are signed.
class Bits final : public ValueCoder {
 public:
  Bits(const std::string& precision, int64_t width, bool is_signed) : width_(width), signed_(is_signed) {
    if (width % 8 != 0)
      throw Failure{2, "--precision " + precision + ": eight values make a byte, but a vector has " +
                           std::to_string(width) + " (--dimensions makes it shorter)"};
  }
  const char* descr() const override { return signed_ ? "|i1" : "|u1"; }
  int64_t width() const override { return width_ / 8; }
  void encode(const float* rows, int64_t n, std::string& out) override {
    for (int64_t i = 0; i < n * width_; i += 8) {
      unsigned byte = 0;
      for (int64_t k = 0; k < 8; ++k) byte = byte << 1 | (rows[i + k] > 0 ? 1U : 0U);
      out += static_cast<char>(signed_ ? byte ^ 0x80U : byte);
    }
  }

 private:
  int64_t width_;
  bool signed_;
};

// 256 steps between the least and the greatest value of a dimension. What lies outside becomes the nearest of them, and
// what is no number the least.
class Bytes final : public ValueCoder {
 public:
  Bytes(int64_t width, bool is_signed, std::vector<float> ranges)
      : width_(width), signed_(is_signed), given_(!ranges.empty()), ranges_(std::move(ranges)) {}
  const char* descr() const override { return signed_ ? "|i1" : "|u1"; }
  int64_t width() const override { return width_; }

  void encode(const float* rows, int64_t n, std::string& out) override {
    if (!ranges_.empty()) return append(rows, n, out);
    held_.insert(held_.end(), rows, rows + n * width_);
    if (static_cast<int64_t>(held_.size()) >= kRangeRows * width_) flush(out);
  }
  void flush(std::string& out) override {
    if (held_.empty()) return;
    const int64_t n = static_cast<int64_t>(held_.size()) / width_;
    measure(std::min(n, kRangeRows));
    append(held_.data(), n, out);
    std::vector<float>().swap(held_);
  }
  std::optional<std::vector<float>> learned() const override {
    if (!held_.empty()) return std::nullopt;
    std::vector<float> all = given_ ? std::vector<float>() : ranges_;
    if (!all.empty()) all.push_back(static_cast<float>(measured_));
    return all;
  }
  void learn(std::vector<float> from) override {
    if (from.size() != static_cast<size_t>(width_) * 2 + 1) return;
    measured_ = static_cast<int64_t>(from.back());
    from.pop_back();
    ranges_ = std::move(from);
  }
  std::string note() const override {
    return given_ || measured_ == 0 ? ""
                                    : std::string(signed_ ? "int8" : "uint8") +
                                          ": the ranges of values are those of the first " + std::to_string(measured_) +
                                          " rows (--ranges FILE.npy gives others, for vectors that are compared "
                                          "with these)";
  }

 private:
  void measure(int64_t n) {
    measured_ = n;
    const float* const rows = held_.data();
    ranges_.assign(rows, rows + width_);
    ranges_.insert(ranges_.end(), rows, rows + width_);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < width_; ++j) {
        float &least = ranges_[static_cast<size_t>(j)], &most = ranges_[static_cast<size_t>(width_ + j)];
        least = std::min(least, rows[i * width_ + j]);
        most = std::max(most, rows[i * width_ + j]);
      }
  }
  void append(const float* rows, int64_t n, std::string& out) const {
    const float shift = signed_ ? 128 : 0;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < width_; ++j) {
        const float least = ranges_[static_cast<size_t>(j)],
                    step = (ranges_[static_cast<size_t>(width_ + j)] - least) / 255;
        const float value = step > 0 ? (rows[i * width_ + j] - least) / step - shift : -shift;
        out += static_cast<char>(static_cast<int>(std::max(-shift, std::min(value, 255 - shift))));
      }
  }

  int64_t width_, measured_ = 0;
  bool signed_, given_;
  std::vector<float> ranges_, held_;  // ranges: the least ones, then the greatest
};

[[noreturn]] void bad_ranges(const std::string& path, const std::string& found, int64_t width) {
  throw Failure{1, "--ranges " + path + ": expected a .npy of float32 in two rows of " + std::to_string(width) +
                       " values, the least and the greatest of each dimension; " + found};
}

}  // namespace

// The header of a .npy: 6 bytes of magic, 2 of version, 2 or 4 of its length, a dictionary.
std::vector<float> read_ranges(const std::string& path, int64_t width) {
  const auto close = [](std::FILE* f) { std::fclose(f); };
  const std::unique_ptr<std::FILE, decltype(close)> file(os::open_stream(path, "rb"), close);
  if (!file) throw Failure{1, "--ranges " + path + ": " + std::strerror(errno)};
  std::string data(static_cast<size_t>(width) * 2 * sizeof(float) + 66000, '\0');
  data.resize(std::fread(data.data(), 1, data.size(), file.get()));
  const auto byte = [&](size_t i) { return size_t{static_cast<unsigned char>(data[i])}; };
  if (data.size() < 12 || !data.starts_with("\x93NUMPY")) bad_ranges(path, "it is no .npy", width);
  const size_t begin = byte(6) == 1 ? 10 : 12, length = byte(8) | byte(9) << 8;
  if (begin == 12 && (byte(10) | byte(11)) != 0) bad_ranges(path, "its header is too long", width);
  if (begin + length > data.size()) bad_ranges(path, "it ends early", width);
  const std::string header = data.substr(begin, length);
  const size_t size = static_cast<size_t>(width) * 2 * sizeof(float);
  if (header.find("'<f4'") == std::string::npos || header.find("False") == std::string::npos ||
      header.find("(2, " + std::to_string(width) + ")") == std::string::npos)
    bad_ranges(path, "its header says something else", width);
  if (data.size() != begin + length + size) bad_ranges(path, "it has another size", width);
  std::vector<float> ranges(static_cast<size_t>(width) * 2);
  std::memcpy(ranges.data(), data.data() + begin + length, size);
  for (size_t j = 0; j < static_cast<size_t>(width); ++j)
    if (!std::isfinite(ranges[j]) || !std::isfinite(ranges[j + static_cast<size_t>(width)]) ||
        ranges[j] > ranges[j + static_cast<size_t>(width)])
      bad_ranges(path, "dimension " + std::to_string(j) + " has no range", width);
  return ranges;
}

std::vector<std::string> precisions() {
  return {"f32", "f16", "int8", "uint8", "binary", "ubinary"};
}

std::unique_ptr<ValueCoder> value_coder(const std::string& precision, const std::string& ranges, int64_t width) {
  const bool bytes = precision == "int8" || precision == "uint8";
  if (!ranges.empty() && !bytes) throw Failure{2, "--ranges: only int8 and uint8 have ranges (--precision)"};
  if (bytes)
    return std::make_unique<Bytes>(width, precision == "int8",
                                   ranges.empty() ? std::vector<float>() : read_ranges(ranges, width));
  if (precision == "binary" || precision == "ubinary")
    return std::make_unique<Bits>(precision, width, precision == "binary");
  if (precision == "f16") return std::make_unique<Halves>(width);
  return std::make_unique<Floats>(width);
}

}  // namespace cli
