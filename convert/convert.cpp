#include "convert/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "ascii.h"
#include "convert/calibration.h"
#include "convert/metadata.h"
#include "convert/smoothing.h"
#include "convert/storage.h"
#include "cpu.h"
#include "dispatch.h"
#include "error.h"
#include "fingerprint.h"
#include "gguf/writer.h"
#include "io/safe_path.h"
#include "os/files.h"

namespace quern {
namespace {

// Panels are read where they lie, 64-byte aligned. Files of row types are llama.cpp's too, whose tools take 32 for
// granted when they write a file anew.
constexpr uint32_t kPanelAlignment = 64, kRowAlignment = 32;

class Converter {
 public:
  Converter(const LoadedModel& source, const std::string& output, const WrittenType& as, const ConvertOptions& options)
      : source_(source),
        as_(as.level && is_decoder(source) ? of_level(as, as.type->levels[1]) : as),
        type_(*as_.type),
        level_(as_.level),
        options_(options),
        pool_(options.threads > 0 ? options.threads : usable_cpus()),
        file_(output, type_.rows ? kRowAlignment : kPanelAlignment) {
    const int64_t groups_from = is_decoder(source) ? kDecodersGroupsFrom : level_ ? level_->groups_from : INT64_MAX;
    for (const WeightSpec& spec : source.weights.specs) {
      const bool there = source.source->weights().holds(spec) || !spec.made.empty();
      stored_.push_back(there ? storage_of(spec, as_, groups_from, spec.table ? spec.table->rows : 0) : Storage{});
      for (const WeightTensors& t : tensors(spec)) total_ += source_bytes(t);
    }
    total_ *= 2;  // once to hash, once to convert
  }

  void run() {
    const std::string weights =
        hash_weights(source_, [&](const std::string& name, double bytes) { report(bytes, "reading " + name); });
    write_metadata(file_, source_, as_, in_groups(), weights, self_test_texts(options_.self_test), pool_);
    for (const Storage& s : stored_) {
      for (const StoredMatrix& m : s.matrices)
        for (const StoredTensor& t : m.tensors) file_.add_tensor(t.name, t.gguf_type, t.ne);
      for (const StoredTensor& t : s.vectors) file_.add_tensor(t.name, t.gguf_type, t.ne);
    }
    file_.begin();
    if (!type_.rows)
      calibration_ =
          std::make_unique<Calibration>(source_, calibration_texts(options_.calibration), pool_, options_.gram_bytes);
    const WeightMap& map = source_.weights;
    size_t next = 0;
    for (size_t i = 0; i < map.layers.size(); ++i) {
      for (; next < map.layers[i].begin; ++next) write(next);
      if (calibration_) calibration_->run_layer(static_cast<int>(i));
      for (; next < map.layers[i].end; ++next) write(next);
    }
    for (; next < map.specs.size(); ++next) write(next);
    file_.commit();
    report(0, "done");
  }

 private:
  // The type of linears of many inputs that come in groups; null: there are none.
  const TypeInfo* in_groups() const {
    for (const Storage& s : stored_)
      for (const StoredMatrix& m : s.matrices)
        if (m.type->activation_group > 0) return m.type;
    return nullptr;
  }
  // Of each part; none where the folder has none.
  std::vector<WeightTensors> tensors(const WeightSpec& spec) const {
    const WeightSource& weights = source_.source->weights();
    std::vector<WeightTensors> all;
    for (size_t i = 0; i < spec.parts.size() && weights.holds(spec); ++i) all.push_back(*weights.find(spec, i));
    return all;
  }
  // Decoders keep all of a code's bits, and have a scale for every group: their errors grow from token to token.
  static constexpr int64_t kDecodersGroupsFrom = 256;
  static WrittenType of_level(const WrittenType& as, const Level& level) {
    return {level.name, as.type, &level, as.finer};
  }
  static bool is_decoder(const LoadedModel& source) { return source.model->language_head().linear != nullptr; }
  // Of a linear that is stored as this type. What the conversion sees no inputs of is rounded as finely as can be.
  const Level* level_for(const TypeInfo& type) const {
    if (!type.levels[0].name) return nullptr;
    return &type == &type_ || &type == type_.in_groups ? level_ : &type.levels[1];
  }
  static double source_bytes(const WeightTensors& t) { return static_cast<double>(t.weight.data.size()); }

  void report(double bytes, const std::string& what) {
    done_ = what == "done" ? total_ : done_ + bytes;
    if (options_.progress && !options_.progress(done_, total_, what.c_str()))
      throw Error(Status::bad_argument, "the conversion was cancelled");
  }

  void write(size_t index) {
    const WeightSpec& spec = source_.weights.specs[index];
    std::vector<float> smooth;
    std::vector<SquareMatrix> U;
    if (spec.linear && calibration_ && spec.calibrated) fit(spec, *stored_[index].matrices[0].type, smooth, U);
    for (const StoredMatrix& m : stored_[index].matrices) write_matrix(spec, m, smooth, U);
    for (const StoredTensor& v : stored_[index].vectors) write_vector(spec, v, smooth);
    source_.source->weights().done_with(spec);
    for (const WeightTensors& t : tensors(spec)) report(source_bytes(t), "writing " + spec.name);
  }

  // Smoothing factors and rounding matrix of a linear from what its inputs looked like. Its weights are in
  // memory as f32 meanwhile.
  void fit(const WeightSpec& spec, const TypeInfo& type, std::vector<float>& smooth, std::vector<SquareMatrix>& U) {
    std::vector<float> weights(static_cast<size_t>(spec.N * spec.K));
    float* to = weights.data();
    for (const WeightTensors& t : tensors(spec)) {
      read_finite(t.weight, 0, t.weight.elements(), to);
      to += t.weight.elements();
    }
    const InputStats& stats = calibration_->stats(*spec.linear);
    const std::vector<float> variance = unexplained(stats, default_kernels(), pool_);
    const auto or_all = [&](int64_t group) { return group > 0 ? group : spec.K; };
    const Level* level = level_for(type);
    const float steps = level ? 2 * static_cast<float>(level->largest_code) : type.steps;
    smooth = smoothing({.K = spec.K,
                        .samples = stats.samples,
                        .weights = weights,
                        .variance = variance,
                        .group = or_all(type.group),
                        .activation_group = or_all(type.activation_group),
                        .steps = steps},
                       pool_);
    weights = {};
    U = compensation(stats, smooth, default_kernels(), pool_);
  }

  // Packs 16-output slices on all threads; only the packed arrays and a slice per thread are in memory.
  void write_matrix(const WeightSpec& spec, const StoredMatrix& m, const std::vector<float>& smooth,
                    const std::vector<SquareMatrix>& U) {
    constexpr int64_t kSlice = 64;
    std::vector<std::vector<char>> buffers;
    void* arrays[4] = {};
    for (int i = 0; i < m.type->n_arrays; ++i) {
      buffers.emplace_back(m.type->arrays[i].bytes(m.N, m.K) + 64);
      const uintptr_t begin = reinterpret_cast<uintptr_t>(buffers.back().data());
      arrays[i] = buffers.back().data() + (round_up(static_cast<int64_t>(begin), 64) - static_cast<int64_t>(begin));
    }
    const std::vector<WeightTensors> parts = tensors(spec);
    const Level* level = level_for(*m.type);
    std::vector<Rounding::Factor> factors;
    for (const SquareMatrix& f : U) factors.push_back({f.row(0), f.stride});
    const Rounding rounding{.U = factors,
                            .together = inputs_together(m.K),
                            .gemm = default_kernels().gemm,
                            .largest_code = level ? level->largest_code : 0};
    pool_.run((m.N + kSlice - 1) / kSlice, [&](int64_t task, Arena& scratch) {
      Arena::Scope scope(scratch);
      const int64_t n0 = task * kSlice, n1 = std::min(m.N, n0 + kSlice);
      float* rows = scratch.take<float>((n1 - n0) * m.K);
      int64_t first = 0;
      for (size_t i = m.first_part; i < m.first_part + m.n_parts; ++i) {
        const int64_t N = parts[i].weight.shape[0];
        const int64_t from = std::max(n0, first), to = std::min(n1, first + N);
        if (from < to)
          read_rows(parts[i].weight, spec.parts[i].pair_heads, from - first, to - first, rows + (from - n0) * m.K);
        first += N;
      }
      if (!smooth.empty())
        for (int64_t n = 0; n < n1 - n0; ++n)
          for (int64_t k = 0; k < m.K; ++k) rows[n * m.K + k] /= smooth[static_cast<size_t>(k)];
      m.type->pack(rows, m.N, m.K, n0, n1, rounding, arrays);
    });
    for (int i = 0; i < m.type->n_arrays; ++i) file_.write_tensor_data(arrays[i], m.type->arrays[i].bytes(m.N, m.K));
  }

  // read_floats of what must be numbers: one that is not would make every vector useless.
  static void read_finite(const WeightTensor& tensor, int64_t first, int64_t n, float* out) {
    read_floats(tensor, first, n, out);
    const float* const wrong = std::find_if(out, out + n, [](float v) { return !std::isfinite(v); });
    if (wrong == out + n) return;
    throw Error(Status::bad_file, *tensor.file + ": tensor '" + tensor.name + "', value " +
                                      std::to_string(first + (wrong - out)) + ": expected a finite number, found " +
                                      (std::isnan(*wrong) ? "NaN" : "infinity") +
                                      "; the checkpoint is damaged: download it again");
  }

  // Rows [from, to) of a matrix in the order of the file that is written; see WeightSpec::Part::pair_heads.
  static void read_rows(const WeightTensor& tensor, int64_t pair_heads, int64_t from, int64_t to, float* out) {
    const int64_t K = tensor.elements() / tensor.shape[0];
    if (pair_heads == 0) return read_finite(tensor, from * K, (to - from) * K, out);
    const int64_t d = tensor.shape[0] / pair_heads;
    for (int64_t n = from; n < to; ++n) {
      const int64_t in_head = n % d, source = n / d * d + in_head % 2 * (d / 2) + in_head / 2;
      read_finite(tensor, source * K, K, out + (n - from) * K);
    }
  }

  void write_vector(const WeightSpec& spec, const StoredTensor& v, const std::vector<float>& smooth) {
    if (v.name == spec.name + ".smooth") {
      file_.write_tensor_data(smooth.data(), smooth.size() * sizeof(float));
      return;
    }
    std::vector<float> values = spec.made;
    const std::vector<WeightTensors> all = tensors(spec);
    for (size_t i = 0; i < all.size(); ++i) {
      if (v.name != spec.name + ".bias" && v.name != spec.name + ".weight" && v.name != spec.parts[i].gguf + ".bias")
        continue;
      const WeightTensors& t = all[i];
      const WeightTensor& tensor = v.name.ends_with(".bias") ? *t.bias : t.weight;
      values.resize(values.size() + static_cast<size_t>(tensor.elements()));
      float* const to = values.data() + values.size() - tensor.elements();
      if (v.name.ends_with(".bias") && i < spec.parts.size())
        read_rows(tensor, spec.parts[i].pair_heads, 0, tensor.shape[0], to);
      else
        read_finite(tensor, 0, tensor.elements(), to);
    }
    for (float& value : values) value += spec.hf_added;
    file_.write_tensor_data(values.data(), values.size() * sizeof(float));
  }

  const LoadedModel& source_;
  const WrittenType as_;
  const TypeInfo& type_;
  const Level* const level_;  // null: the type has none
  const ConvertOptions& options_;
  Pool pool_;
  GgufWriter file_;
  std::vector<Storage> stored_;
  std::unique_ptr<Calibration> calibration_;
  double done_ = 0, total_ = 0;
};

const WrittenType* find_written(const std::string& name) {
  for (const WrittenType& type : written_types())
    if (name == type.name) return &type;
  return nullptr;
}

// What an output's name says of its type, lower-case: the ending of "minilm.q8", or what stands before .gguf, as
// llama.cpp's users write it ("bge-small-Q8_0.gguf"). Empty where that is no type's name, and none that one could be
// taken for: a q or the like with a number.
std::string type_in_name(const std::string& output) {
  std::string name = ascii_lower(os::base_name(output));
  if (name.ends_with(".gguf")) name.resize(name.size() - 5);
  const size_t at = name.find_last_of(".-");
  if (at == std::string::npos) return "";
  const std::string last = name.substr(at + 1);
  if (find_written(last)) return last;
  for (const std::string_view kind : {"q", "iq", "tq", "f", "bf", "fp", "int", "mxfp", "nvfp"})
    if (last.starts_with(kind) && last.size() > kind.size() && last[kind.size()] >= '0' && last[kind.size()] <= '9')
      return last;
  return "";
}

const WrittenType& choose_type(const std::string& wanted, const std::string& output) {
  if (is_pickle_name(output))
    throw Error(Status::bad_argument,
                output + ": quern reads no file of such a name, which is pickle's; end it in .gguf");
  const std::string named = wanted.empty() ? type_in_name(output) : wanted;
  if (const WrittenType* type = find_written(named.empty() ? "q8" : named)) return *type;
  if (!wanted.empty())
    throw Error(Status::bad_argument,
                "type \"" + wanted + "\" cannot be written (there are: " + written_type_names() + ")");
  throw Error(Status::bad_argument, output + ": is named like a file of type \"" + named +
                                        "\", which cannot be written (there are: " + written_type_names() +
                                        "); take another name, or say the type with --type");
}

std::string first_bytes(const std::string& file) {
  char bytes[4] = {};
  std::ifstream(os::path_of(file), std::ios::binary).read(bytes, sizeof bytes);
  return {bytes, sizeof bytes};
}

// Of the folder's weights: to write over them would take the source away.
void refuse_own_source(const LoadedModel& source, const MergedAdapters& adapters, const std::string& output) {
  std::error_code error;
  const auto same = [&](const std::string& file) {
    return std::filesystem::equivalent(os::path_of(output), os::path_of(file), error);
  };
  for (const std::string& file : adapters.files())
    if (same(file)) throw Error(Status::bad_argument, output + ": is a file of an adapter; write to another");
  for (const WeightSpec& spec : source.weights.specs)
    for (size_t i = 0; i < spec.parts.size() && source.source->weights().holds(spec); ++i)
      if (const std::optional<WeightTensors> t = source.source->weights().find(spec, i); t && same(*t->weight.file))
        throw Error(Status::bad_argument, output + ": is a file of the model that is converted; write to another");
  // Its other files, whatever they are for, are no model files of quern's.
  const std::filesystem::path folder = os::path_of(output).parent_path();
  if (is_regular_file(output) &&
      std::filesystem::equivalent(folder.empty() ? "." : folder, os::path_of(source.path), error) &&
      first_bytes(output) != "GGUF")
    throw Error(Status::bad_argument, output + ": is a file of the folder that is converted; write to another");
}

}  // namespace

bool is_written_type(const std::string& name) {
  return find_written(name) != nullptr;
}

std::string written_type_names() {
  std::string names;
  for (const WrittenType& type : written_types()) names += (names.empty() ? "" : ", ") + std::string(type.name);
  return names;
}

void convert(const std::string& folder, const std::string& output, const ConvertOptions& options) {
  const WrittenType& type = choose_type(options.type, output);
  MergedAdapters adapters(options.adapters, options.threads);
  const std::unique_ptr<LoadedModel> source = load_model(folder, options.adapters.empty() ? nullptr : &adapters);
  if (!source->source->weights().as_trained())
    throw Error(Status::unsupported, source->path +
                                         ": expected a Hugging Face folder with safetensors weights, found a model "
                                         "file; convert the folder that it came from");
  for (const std::string& note : adapters.finish(*source))
    if (options.note) options.note(note);
  refuse_own_source(*source, adapters, output);
  Converter(*source, output, type, options).run();
}

}  // namespace quern
