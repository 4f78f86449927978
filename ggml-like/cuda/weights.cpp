#include "cuda/weights.h"

#include <algorithm>
#include <cstring>

#include "cuda/kernel_list.h"
#include "quants/list.h"

namespace quern::cuda {
namespace {

constexpr size_t kStage = size_t{16} << 20;  // bytes of panels that are on the device at a time

struct Q8Layout {
  int64_t padded_N, stride, groups;
  size_t codes() const { return static_cast<size_t>(padded_N * stride); }
  size_t numbers() const { return static_cast<size_t>(padded_N * groups) * 4; }  // scales, or sums
};

Q8Layout layout_of(const Matrix& w) {
  return {round_up(w.N, 16), round_up(w.K, kCodeRow), w.type == &Q8::info ? 1 : Q8_G256::groups(w.K)};
}

}  // namespace

DeviceWeights::DeviceWeights(Runtime& runtime) : runtime_(runtime), stream_(runtime.stream()) {
  if (!stream_) refuse_memory(runtime, 0, "a stream");
}

bool DeviceWeights::is_q8(const TypeInfo& type) {
  return &type == &Q8::info || &type == &Q8_G256::info;
}

void DeviceWeights::require_kernels(const TypeInfo& type) {
  if (is_q8(type) || &type == &F32::info || &type == &F16::info || &type == &BF16::info) return;
  throw Error(Status::unsupported, std::string("the CUDA device has no kernels for ") + type.name +
                                       " weights yet: expected q8, f16, bf16 or f32; convert the model to one of them, "
                                       "or run it on the CPU (--device cpu)");
}

TableValues DeviceWeights::values_of(const TypeInfo& type) {
  return &type == &F16::info ? TableValues::f16 : &type == &BF16::info ? TableValues::bf16 : TableValues::f32;
}

size_t DeviceWeights::bytes_of(const Matrix& w) {
  if (!is_q8(*w.type)) return w.type->arrays[0].bytes(w.N, w.K);
  const Q8Layout layout = layout_of(w);
  return layout.codes() + 2 * layout.numbers();
}

size_t DeviceWeights::bytes_of(const Table& table) {
  const size_t value = values_of(*table.type) == TableValues::f32 ? 4 : 2;
  return static_cast<size_t>(table.rows * table.cols) * value;
}

template <class Make>
const DeviceWeights::Placed& DeviceWeights::find_or(const void* host, const Make& make) {
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = placed_.find(host); found != placed_.end()) return found->second;
  }
  const std::unique_lock lock(mutex_);
  if (const auto found = placed_.find(host); found != placed_.end()) return found->second;
  Placed made;
  make(made);
  return placed_.emplace(host, std::move(made)).first->second;
}

char* DeviceWeights::take(Placed& to, size_t bytes) {
  return to.memory.emplace_back(take_memory(runtime_, bytes, "weights")).get();
}

// Waits, since others read from streams of their own.
void DeviceWeights::upload(char* to, const void* from, size_t bytes) {
  check(*stream_, stream_->upload(to, from, bytes));
  char last;
  if (bytes > 0) check(*stream_, stream_->download(&last, to, 1));
}

const float* DeviceWeights::floats(const float* host, int64_t n) {
  if (!host) return nullptr;
  const Placed& placed = find_or(host, [&](Placed& to) {
    const size_t bytes = static_cast<size_t>(n) * sizeof(float);
    upload(take(to, bytes), host, bytes);
  });
  return reinterpret_cast<const float*>(placed.memory[0].get());
}

const void* DeviceWeights::matrix(const Matrix& w) {
  const Placed& placed = find_or(w.arrays[0], [&](Placed& to) {
    const size_t bytes = bytes_of(w);
    upload(take(to, bytes), w.arrays[0], bytes);
  });
  return placed.memory[0].get();
}

// Panels go up in pieces of kStage and are laid out from there.
void DeviceWeights::lay_panels(const Matrix& w, const PlacedQ8& to) {
  const DeviceMemoryBlock stage = take_memory(runtime_, kStage, "weights on their way");
  const int8_t* from = static_cast<const int8_t*>(w.arrays[0]);
  for (int64_t g = 0; g < to.groups; ++g) {
    const int64_t first = g * kQ8Group, K = to.groups == 1 ? w.K : std::min(kQ8Group, w.K - first);
    const int64_t padded = Q8::padded(K), panel_bytes = 16 * padded;
    const int64_t at_once = std::max<int64_t>(1, static_cast<int64_t>(kStage) / panel_bytes);
    for (int64_t panel = 0; panel < to.padded_N / 16; panel += at_once) {
      const int64_t n = std::min(at_once, to.padded_N / 16 - panel);
      check(*stream_, stream_->upload(stage.get(), from + panel * panel_bytes, static_cast<size_t>(n * panel_bytes)));
      const LayPanels lay{reinterpret_cast<const int8_t*>(stage.get()),
                          K,
                          padded,
                          first,
                          to.stride,
                          panel,
                          const_cast<int8_t*>(to.rows.codes)};
      check(*stream_, stream_->launch(number_of<LayPanels>(), {n, 1, LayPanels::shared}, &lay));
    }
    from += to.padded_N * padded;
  }
}

PlacedQ8 DeviceWeights::q8(const Matrix& w) {
  return find_or(w.arrays[0],
                 [&](Placed& to) {
                   const Q8Layout layout = layout_of(w);
                   char* const codes = take(to, layout.codes());
                   char* const scales = take(to, layout.numbers());
                   char* const sums = take(to, layout.numbers());
                   to.q8 = {{reinterpret_cast<int8_t*>(codes), reinterpret_cast<float*>(scales),
                             reinterpret_cast<int32_t*>(sums)},
                            layout.padded_N,
                            layout.stride,
                            layout.groups};
                   check(*stream_, stream_->clear(codes, layout.codes()));
                   lay_panels(w, to.q8);
                   upload(scales, w.arrays[1], layout.numbers());
                   upload(sums, w.arrays[2], layout.numbers());
                 })
      .q8;
}

// Rows of other types than floats are looked up as f32, which holds what they decode to.
void DeviceWeights::upload_decoded(const Table& table, char* to) {
  const size_t row = table.type->row_bytes(table.cols), width = static_cast<size_t>(table.cols);
  const int64_t at_once = std::max<int64_t>(1, static_cast<int64_t>(kStage / (width * sizeof(float))));
  std::vector<float> values(width * static_cast<size_t>(std::min(at_once, table.rows)));
  for (int64_t first = 0; first < table.rows; first += at_once) {
    const int64_t n = std::min(at_once, table.rows - first);
    for (int64_t i = 0; i < n; ++i)
      table.type->decode(static_cast<const char*>(table.data) + static_cast<size_t>(first + i) * row,
                         values.data() + static_cast<size_t>(i) * width, table.cols);
    upload(to + static_cast<size_t>(first) * width * sizeof(float), values.data(),
           static_cast<size_t>(n) * width * sizeof(float));
  }
}

PlacedTable DeviceWeights::table(const Table& table) {
  return find_or(table.data,
                 [&](Placed& to) {
                   const size_t bytes = bytes_of(table);
                   char* const data = take(to, bytes);
                   const TypeInfo& type = *table.type;
                   if (&type == &F32::info || &type == &F16::info || &type == &BF16::info)
                     upload(data, table.data, bytes);
                   else
                     upload_decoded(table, data);
                   to.table = {data, values_of(type)};
                 })
      .table;
}

}  // namespace quern::cuda
