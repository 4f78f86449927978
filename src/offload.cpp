#include "offload.h"

#include <algorithm>
#include <cstdlib>

#include "device_plugin.h"
#include "error.h"
#include "loaded_model.h"
#include "mebibytes.h"

namespace quern {
namespace {

// Digits alone; -1: something else.
int number_of(const std::string& text) {
  if (text.empty() || text.size() > 6 ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return -1;
  return std::atoi(text.c_str());
}

struct WantedDevice {
  bool cpu = false, automatic = false;
  int index = 0;
  int layers = -1;  // -1: what fits
};

WantedDevice wanted_device(const DeviceChoice& choice, int layers) {
  WantedDevice w;
  const std::string& device = choice.device;
  if (device == "cpu")
    w.cpu = true;
  else if (device == "auto")
    w.automatic = true;
  else if (device.starts_with("cuda:") && number_of(device.substr(5)) >= 0)
    w.index = number_of(device.substr(5));
  else if (device != "cuda")
    throw Error(Status::bad_argument, "device: expected cpu, auto, cuda or cuda:<index>, found \"" + device + "\"");
  if (choice.layers == "auto") return w;
  w.layers = choice.layers == "all" ? layers : number_of(choice.layers);
  if (w.layers < 0)
    throw Error(Status::bad_argument, "gpu layers: expected a number, all or auto, found \"" + choice.layers + "\"");
  w.layers = std::min(w.layers, layers);
  return w;
}

// Why a model cannot run there whatever the device; empty: it can.
std::string no_kernels_for(const LoadedModel& m) {
  if (m.model->language_head().linear) return m.path + ": decoders run on the CPU alone yet (--device cpu)";
  if (m.model->derives()) return m.path + ": attention by places (DeBERTa) runs on the CPU alone yet (--device cpu)";
  return {};
}

class Placing {
 public:
  Placing(const LoadedModel& m, const Device& device) : m_(m), device_(device) {
    layer_of_.resize(m.weights.specs.size(), m.model->layers());  // what belongs to no layer: heads
    for (size_t i = 0; i < m.weights.layers.size(); ++i)
      for (size_t s = m.weights.layers[i].begin; s < m.weights.layers[i].end; ++s) layer_of_[s] = static_cast<int>(i);
    for (size_t s = 0; s < layer_of_.size(); ++s)
      if (m.weights.specs[s].kind == WeightSpec::Kind::table) layer_of_[s] = -1;
  }

  // With the layers from `first` on; -1: with the tables too.
  uint64_t bytes_from(int first) const {
    uint64_t bytes = 0;
    for (size_t s = 0; s < layer_of_.size(); ++s)
      if (layer_of_[s] >= first) bytes += bytes_of(m_.weights.specs[s]);
    return bytes;
  }
  // Of the packs that are there at a time: states, and the widest results of the layers with their codes.
  uint64_t scratch() const {
    int64_t widest = m_.model->width();
    for (size_t s = 0; s < layer_of_.size(); ++s)
      if (const Linear* linear = m_.weights.specs[s].linear; linear && layer_of_[s] < m_.model->layers())
        widest = std::max({widest, linear->N, linear->K});
    const uint64_t of_token = static_cast<uint64_t>(8 * m_.model->width() + 3 * widest) * sizeof(float);
    return of_token * (kDevicePackTokens + m_.max_length) * kDeviceLanes;
  }
  void adopt(int first) const {
    std::vector<Linear*> linears;
    for (size_t s = 0; s < layer_of_.size(); ++s) {
      const WeightSpec& spec = m_.weights.specs[s];
      if (layer_of_[s] < first) continue;
      if (spec.linear && !spec.linear->parts.empty()) linears.push_back(spec.linear);
      if (spec.table && spec.table->data) device_.adopt(*spec.table);
    }
    device_.adopt(linears);
  }

 private:
  uint64_t bytes_of(const WeightSpec& spec) const {
    if (spec.linear) return spec.linear->parts.empty() ? 0 : device_.bytes_of(*spec.linear);
    if (spec.table) return spec.table->data ? device_.bytes_of(*spec.table) : 0;
    return static_cast<uint64_t>(spec.N) * 2 * sizeof(float);
  }

  const LoadedModel& m_;
  const Device& device_;
  std::vector<int> layer_of_;  // of each spec; -1: a table, which is looked up before the layers
};

Offload placed(const LoadedModel& m, const WantedDevice& wanted, std::shared_ptr<const Device> device) {
  const Placing placing(m, *device);
  const int n = m.model->layers();
  const uint64_t free = device->memory().free, scratch = placing.scratch();
  const auto fits = [&](int first) { return placing.bytes_from(first) + scratch <= free; };
  int most = 0;  // layers that fit
  while (most < n && fits(n - most - 1)) ++most;
  const auto first_of = [&](int layers) { return layers == n && fits(-1) ? -1 : n - layers; };
  const int layers = wanted.layers >= 0 ? wanted.layers : most;
  if (most == 0 && n > 0)
    throw Error(Status::out_of_memory, m.path + ": not one layer fits into the " + mebibytes(free) +
                                           " that are free on " + device->name() + ": the last needs " +
                                           mebibytes(placing.bytes_from(n - 1) + scratch) + " (--device cpu)");
  if (layers > most)
    throw Error(Status::out_of_memory, m.path + ": " + std::to_string(layers) + " of " + std::to_string(n) +
                                           " layers need " + mebibytes(placing.bytes_from(n - layers) + scratch) +
                                           " on " + device->name() + ", and " + mebibytes(free) +
                                           " are free: " + std::to_string(most) + " layers fit (--gpu-layers " +
                                           std::to_string(most) + ", or --device cpu)");
  const int first = first_of(layers);
  placing.adopt(first);
  return {
      .device = device,
      .first_layer = first,
      .name = device->name(),
      .why = layers == n ? "all layers fit" : "of " + std::to_string(n) + " layers, the last " + std::to_string(layers),
      .layers = layers,
      .bytes = placing.bytes_from(first)};
}

}  // namespace

Offload place_model(const LoadedModel& m, const DeviceChoice& choice) {
  const WantedDevice wanted = wanted_device(choice, m.model->layers());
  if (wanted.cpu) return {.device = nullptr, .why = "nothing else was asked for"};
  if (wanted.layers == 0) return {.device = nullptr, .why = "no layers were asked for on a device"};
  const auto place = [&] {
    if (const std::string why = no_kernels_for(m); !why.empty()) throw Error(Status::unsupported, why);
    return placed(m, wanted, open_cuda_device(wanted.index));
  };
  if (!wanted.automatic) return place();
  try {
    return place();
  } catch (const Error& e) {
    return {.device = nullptr, .why = e.message};
  }
}

}  // namespace quern
