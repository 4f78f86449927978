// The entry of every Catch2 test program: says which ISA the default kernels are, so that a log shows what was tested.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdio>

#include "dispatch.h"
#include "error.h"

int main(int argc, char** argv) {
  try {
    std::printf("kernels: %s\n", quern::default_kernels().name);
    for (const quern::KernelTable* table : quern::built_kernels())
      if (!table->runs_here()) std::printf("skipped: ISA %s cannot run on this CPU\n", table->name);
  } catch (const quern::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return Catch::Session().run(argc, argv);
}
