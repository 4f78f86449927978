// From what -m names to a path that loads: models by name come from the caches, else from the Hub, with lines on
// stderr.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "common.h"
#include "progress.h"

namespace cli {

// --type and --offline, of models by name: one choice for all of a command's models.
void add_choice_options(CLI::App& command);

// As quern_hub_model. type: in place of --type; "source" for what a model was made from. Throws Failure.
std::string path_of(const std::string& name, const char* type = nullptr);
// The same in a running server: signals are its own, and lines are notes. Throws std::runtime_error.
std::string path_of_in_server(const std::string& name);

// What a download or conversion says on stderr: a bar on a terminal, else a line at once and then every ten seconds.
class HubLines {
 public:
  // before: stands before the lines of a running server, which has no bar. quiet: it says nothing.
  HubLines(std::string name, std::string before, bool interruptible, bool quiet = false);
  // For quern_hub_options: its `progress` and, as `user`, this.
  static int on_progress(void* user, quern_hub_phase phase, const char* what, double done, double total);
  // What a call of the library gave: takes the bar away first. Throws Failure.
  void finish(quern_status status);
  // quern_hub_model of a name.
  std::string model(const std::string& name, const quern_hub_options& options);

 private:
  std::string text(quern_hub_phase phase, const std::string& what, double done, double total);

  using Clock = std::chrono::steady_clock;
  std::string name_, before_;
  bool interruptible_, quiet_;
  Progress bar_;
  Clock::time_point last_{}, began_{};
  double first_done_ = -1;  // bytes that were there when the download began
};

// Options with the command's choice and these lines.
quern_hub_options hub_options(HubLines& lines);

std::string megabytes(double bytes);

// As the library takes lists of patterns.
std::vector<const char*> pointers(const std::vector<std::string>& texts);

}  // namespace cli
