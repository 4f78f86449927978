// Which of a model's layers a device takes, and what that costs: decided when the model is loaded.
#pragma once
#include <memory>
#include <string>

#include "device.h"

namespace quern {

struct LoadedModel;

struct DeviceChoice {
  std::string device = "cpu";   // cpu, auto (a CUDA device where there is one), cuda or cuda:<index>
  std::string layers = "auto";  // the last so many, "all", or "auto": what fits
};

// Tokens of a pack that goes to a device: enough rows for all of it.
constexpr size_t kDevicePackTokens = 8192;
// Packs that are on it at a time, each with memory of its own.
constexpr int kDeviceLanes = 2;

// What of a model runs where.
struct Offload {
  std::shared_ptr<const Device> device;  // null: all runs on the host
  int first_layer = 0;                   // that runs there, as Placement has it
  std::string name = "cpu";              // of the device
  std::string why;                       // it is that one
  int layers = 0;                        // that are there
  uint64_t bytes = 0;                    // that its weights take there
};

// Decides, and copies the weights. The host's adoption comes later. Throws Error{bad_argument} for a choice that is
// none, Error{unsupported} where a device was asked for and cannot be had, Error{out_of_memory}.
Offload place_model(const LoadedModel& model, const DeviceChoice& choice);

}  // namespace quern
