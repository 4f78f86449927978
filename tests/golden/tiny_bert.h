// What tests of whole models share: the tiny BERT and its reference values, models made from it in a scratch folder,
// and comparisons. Not for the formats' own tests.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../unit/format_bytes.h"
#include "convert/convert.h"
#include "dispatch.h"
#include "engine.h"
#include "host_ops.h"
#include "io/mapped_file.h"
#include "loaded_model.h"
#include "quants/half.h"
#include "safetensors/safetensors.h"

namespace quern::test {

using Rows = std::vector<std::vector<float>>;

inline std::string tiny_bert() {
  return QUERN_TEST_DIR "/golden/tiny-bert";
}

inline const nlohmann::json& golden() {
  static const nlohmann::json all = nlohmann::json::parse(read_text_file(tiny_bert() + "/golden.json", 1 << 24));
  return all;
}
inline std::vector<std::string> golden_texts() {
  return golden().at("texts").get<std::vector<std::string>>();
}

// EmbedOptions in one expression: With().pooling("cls").dimensions(8).
class With {
 public:
  With& pooling(const std::string& mode) { return options_.pooling = mode, *this; }
  With& normalize(bool on) { return options_.normalize = on, *this; }
  With& dimensions(int64_t n) { return options_.dimensions = n, *this; }
  With& prompt(const std::string& text) { return options_.prompt = text, *this; }
  With& max_length(size_t n) { return options_.max_length = n, *this; }
  With& truncate(bool on) { return options_.long_texts = on ? LongTexts::truncate : LongTexts::error, *this; }
  With& first_text(size_t n) { return options_.first_text = n, *this; }
  operator const EmbedOptions&() const { return options_; }

 private:
  EmbedOptions options_;
};

inline std::vector<float> values_of(Ops& op, const Tensor& x) {
  std::vector<float> room;
  const std::span<const float> values = op.read(x, room);
  return {values.begin(), values.end()};
}

// A model with one session on it.
struct Embedder {
  explicit Embedder(const std::string& path, int threads = 1) : Embedder(share(path), threads) {}
  explicit Embedder(std::shared_ptr<const LoadedModel> m, int threads) : model(m), session(std::move(m), threads) {}

  Rows operator()(const std::vector<std::string>& texts, const EmbedOptions& options = {}) {
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    const size_t width = static_cast<size_t>(session.width(options));
    std::vector<float> flat(texts.size() * width + 1, -7.0f);
    stats = {};
    session.embed(views, options, flat, stats);
    Rows rows;
    for (size_t i = 0; i < texts.size(); ++i) rows.emplace_back(&flat[i * width], &flat[i * width] + width);
    return rows;
  }

  static std::shared_ptr<const LoadedModel> share(const std::string& path) { return load_model(path); }

  std::shared_ptr<const LoadedModel> model;
  Session session;
  EmbedStats stats;
};

inline double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += double{a[i]} * double{b[i]};
    aa += double{a[i]} * double{a[i]};
    bb += double{b[i]} * double{b[i]};
  }
  return a.size() == b.size() && aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : -1;
}

struct Cosines {
  double mean = 0, worst = 1;
};
inline Cosines cosines(const Rows& found, const Rows& expected) {
  Cosines c;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double one = i < found.size() ? cosine(found[i], expected[i]) : -1;
    c.mean += one / static_cast<double>(expected.size());
    c.worst = std::min(c.worst, one);
  }
  return c;
}

// The largest difference, relative to values above 1.
inline double difference(const std::vector<float>& found, const std::vector<float>& expected) {
  if (found.size() != expected.size()) return HUGE_VAL;
  double worst = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double d = std::fabs(double{found[i]} - double{expected[i]}) / std::max(1.0, std::fabs(double{expected[i]}));
    worst = d <= worst ? worst : d;  // NaN counts
  }
  return worst;
}
inline double difference(const Rows& found, const Rows& expected) {
  if (found.size() != expected.size()) return HUGE_VAL;
  double worst = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double d = difference(found[i], expected[i]);
    worst = d <= worst ? worst : d;
  }
  return worst;
}

inline std::string convert_to(const ScratchFolder& scratch, const std::string& type,
                              const std::string& folder = tiny_bert()) {
  const std::string path = scratch.file("model." + type);
  ConvertOptions options;
  options.type = type;
  options.threads = 1;
  convert(folder, path, options);
  return path;
}

// An environment variable for the length of a scope.
class SetEnv {
 public:
  SetEnv(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old, had_ = true;
    setenv(name, value.c_str(), 1);
  }
  ~SetEnv() { had_ ? setenv(name_, old_.c_str(), 1) : unsetenv(name_); }
  SetEnv(const SetEnv&) = delete;
  SetEnv& operator=(const SetEnv&) = delete;

 private:
  const char* name_;
  std::string old_;
  bool had_ = false;
};

// ---- safetensors ----

struct HfTensor {
  std::string name, dtype;
  std::vector<int64_t> shape;
  std::string data;
};

inline std::vector<HfTensor> tiny_tensors() {
  const Safetensors file = Safetensors::open_folder(tiny_bert());
  std::vector<HfTensor> all;
  for (const StTensor& t : file.tensors())
    all.push_back({t.name, t.dtype, t.shape, {reinterpret_cast<const char*>(t.data.data()), t.data.size()}});
  return all;
}

// F16, as the fixture has it, to F32 or BF16.
inline void change_dtype(HfTensor& t, const std::string& dtype) {
  if (t.dtype != "F16" || dtype == "F16") return;
  std::string data;
  for (size_t i = 0; i < t.data.size(); i += 2) {
    uint16_t half;
    std::memcpy(&half, &t.data[i], 2);
    const float value = f16_to_f32(half);
    const uint16_t bf16 = f32_to_bf16(value);
    data.append(dtype == "F32" ? reinterpret_cast<const char*>(&value) : reinterpret_cast<const char*>(&bf16),
                dtype == "F32" ? 4 : 2);
  }
  t.dtype = dtype;
  t.data = data;
}

inline std::string safetensors_bytes(const std::vector<HfTensor>& tensors) {
  nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}}}};
  size_t at = 0;
  std::string data;
  for (const HfTensor& t : tensors) {
    header[t.name] = {{"dtype", t.dtype}, {"shape", t.shape}, {"data_offsets", {at, at + t.data.size()}}};
    at += t.data.size();
    data += t.data;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return Bytes{}.put<uint64_t>(text.size()).raw(text).raw(data).text;
}

// The tiny BERT in `scratch` but for its weights.
inline void copy_settings(const ScratchFolder& scratch) {
  namespace fs = std::filesystem;
  fs::copy(tiny_bert(), scratch.path(), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  fs::remove(scratch.file("model.safetensors"));
  fs::remove(scratch.file("golden.json"));
}

// The tiny BERT in `scratch` with each tensor changed.
inline void write_variant(const ScratchFolder& scratch, const std::function<void(HfTensor&)>& change) {
  copy_settings(scratch);
  std::vector<HfTensor> tensors = tiny_tensors();
  for (HfTensor& t : tensors) change(t);
  scratch.write("model.safetensors", safetensors_bytes(tensors));
}

inline Rows golden_vectors() {
  return golden().at("vectors").get<Rows>();
}

}  // namespace quern::test
