// What cpu.cpp asks of the operating system: cpu_linux.cpp, cpu_macos.cpp. They have the rest of cpu.h too.
#pragma once

namespace quern {

struct ArmFeatures {
  bool dotprod = false, i8mm = false;
};
ArmFeatures arm_features() noexcept;  // of an aarch64 CPU

}  // namespace quern
