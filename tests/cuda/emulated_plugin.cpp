// The plug-in for CUDA as quern opens it, over the emulated device. QUERN_EMULATED_CUDA says what machine this is:
// words of no_driver, old_driver, old_gpu, build_id, memory=<bytes>, devices=<n>, launches=<n>.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "emulated_runtime.h"

namespace {

using quern::cuda::Outcome;

std::string machine() {
  const char* const words = std::getenv("QUERN_EMULATED_CUDA");
  return words ? std::string(" ") + words + " " : " ";
}
bool is(const char* word) {
  return machine().find(std::string(" ") + word + " ") != std::string::npos;
}
int64_t number(const char* word, int64_t otherwise) {
  const std::string all = machine(), name = std::string(" ") + word + "=";
  const size_t at = all.find(name);
  return at == std::string::npos ? otherwise : std::atoll(all.c_str() + at + name.size());
}

Outcome refuse(char* why, size_t room, Outcome outcome, const std::string& message) {
  std::snprintf(why, room, "%s", message.c_str());
  return outcome;
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) const char* quern_cuda_build_id() {
  return is("build_id") ? "0123456789abcdef" : QUERN_CUDA_BUILD_ID;
}

__attribute__((visibility("default"))) Outcome quern_cuda_open(const char* build_id, int index,
                                                               quern::cuda::Runtime** runtime, char* why, size_t room) {
  if (std::strcmp(build_id, QUERN_CUDA_BUILD_ID) != 0)
    return refuse(why, room, Outcome::failed, "the build ids differ");
  if (is("no_driver"))
    return refuse(why, room, Outcome::no_driver, "no NVIDIA driver is here (libcuda.so.1): install the driver");
  if (is("old_driver"))
    return refuse(why, room, Outcome::old_driver,
                  "the NVIDIA driver is too old: it offers CUDA 12.2, and the plug-in needs 13.0 or newer");
  if (is("old_gpu"))
    return refuse(why, room, Outcome::no_kernels,
                  "CUDA device 0 (emulated) has compute capability 7.5: the plug-in's kernels need 8.0 or newer");
  quern::test::EmulatedOptions options;
  options.memory = number("memory", options.memory);
  options.launches = number("launches", options.launches);
  options.devices = static_cast<int>(number("devices", 1));
  options.index = index;
  if (index < 0 || index >= options.devices)
    return refuse(
        why, room, Outcome::no_such_device,
        "there is no CUDA device " + std::to_string(index) + ": expected 0 to " + std::to_string(options.devices - 1));
  *runtime = quern::test::make_emulated_runtime(options);
  return Outcome::ok;
}

}  // extern "C"
