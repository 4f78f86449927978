// What the two kinds of measurements of quern bench share.
#pragma once
#include <string>
#include <vector>

#include "common.h"

namespace cli {

struct BenchArguments {
  std::string model, format = "table", kv_type = "f16";
  std::vector<int> prompts, generated, batches;  // empty: the kind's own
  int threads = 0, repetitions = 5, depth = 0;
};

double now();  // seconds
double median(std::vector<double> v);

void bench_decoder(const BenchArguments& a, const Model& model);

}  // namespace cli
