// The files that -f names, of this machine and of the Hub.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cli {

class HubDataset;

struct Input {
  std::string name;                               // as messages have it: a path, "-" for stdin, an address of the Hub's
  double bytes = -1;                              // that are in it; negative where it has no size
  int64_t changed = 0;                            // of a file of this machine: when, in nanoseconds since 1970
  std::shared_ptr<HubDataset> dataset = nullptr;  // that it is a file of; null: of this machine
  size_t of_dataset = 0;                          // which one
};

struct Inputs {
  std::vector<Input> files;    // a folder's files stand in its place, by name
  std::vector<double> before;  // bytes of those before each
  double bytes = 0;            // of all; negative where one has no size
};

// Throws Failure for what is not there, and for a folder without texts.
Inputs find_inputs(const std::vector<std::string>& names);

// ": expected files of texts, found a folder without …", behind its name.
std::string no_texts();

}  // namespace cli
