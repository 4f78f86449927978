// quern convert: a Hugging Face folder → a model file.
#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common.h"
#include "interrupts.h"
#include "model_names.h"
#include "os/files.h"
#include "progress.h"

namespace cli {
namespace {

struct ConvertArguments {
  std::string folder, output, type, calibration, self_test;
  std::vector<std::string> adapters;
  int threads = 0;
  bool quiet = false;
};

// DIR=WEIGHT, or DIR alone: a folder that is there is one, whatever it is called.
struct Adapters {
  explicit Adapters(const std::vector<std::string>& all) {
    for (const std::string& one : all) {
      const size_t at = one.rfind('=');
      float weight = 1;
      const char* const end = one.data() + one.size();
      std::error_code error;
      const bool weighted = at != std::string::npos && !std::filesystem::is_directory(os::path_of(one), error) &&
                            std::from_chars(one.data() + at + 1, end, weight).ptr == end && at + 1 < one.size();
      folders.push_back(weighted ? one.substr(0, at) : one);
      weights.push_back(weighted ? weight : 1);
    }
    for (const std::string& folder : folders) names.push_back(folder.c_str());
  }
  std::vector<std::string> folders;
  std::vector<float> weights;
  std::vector<const char*> names;
};

void convert(const ConvertArguments& a) {
  const auto start = std::chrono::steady_clock::now();
  if (!quern_isa()) throw Failure{2, quern_last_error()};
  const std::string folder = path_of(a.folder, "source");
  Progress progress(!a.quiet);
  quern_convert_options o = quern_convert_options_default();
  if (!a.type.empty()) o.type = a.type.c_str();
  if (!a.calibration.empty()) o.calibration = a.calibration.c_str();
  if (!a.self_test.empty()) o.self_test = a.self_test.c_str();
  o.n_threads = a.threads;
  const Adapters adapters(a.adapters);
  o.adapters = adapters.names.data();
  o.adapter_weights = adapters.weights.data();
  o.n_adapters = adapters.names.size();
  o.note = [](void*, const char* text) { std::fprintf(stderr, "note: %s\n", text); };
  o.user = &progress;
  o.progress = [](void* user, double done, double total, const char* what) {
    static_cast<Progress*>(user)->show(total > 0 ? done / total : -1, what);
    return static_cast<int>(Interrupts::pressed());
  };
  const Interrupts interrupts;
  const quern_status status = quern_convert(folder.c_str(), a.output.c_str(), &o);
  progress.clear();
  if (status != QUERN_OK) Interrupts::check();
  check(status);
  if (a.quiet) return;
  os::FileInfo info;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (os::info_of(a.output, info))
    std::fprintf(stderr, "%s: %.1f MB, %.1f s\n", a.output.c_str(), static_cast<double>(info.size) / 1e6,
                 seconds.count());
}

}  // namespace

void add_convert(CLI::App& app) {
  auto a = std::make_shared<ConvertArguments>();
  const std::vector<std::string> types = names_of(quern_written_type);
  CLI::App* c = app.add_subcommand("convert", "make a model file from a Hugging Face folder with safetensors weights");
  c->add_option("folder", a->folder, "Hugging Face folder, or a model by name: org/name[@revision]")
      ->required()
      ->type_name("FOLDER");
  c->add_option("-o,--output", a->output, "the file to write, e.g. minilm.q8")->required()->type_name("FILE");
  c->add_option(
       "--type", a->type,
       "one of " + CLI::detail::join(types, ", ") +
           "; q8 (int8) is near-lossless and fastest, q8_fine its finest level, q4 (int4) smallest, q4_m and q5 "
           "between them; llama.cpp reads all others as well; default: the output's extension, else q8")
      ->type_name("TYPE")
      ->check(CLI::IsMember(types));
  c->add_option(
       "--adapter", a->adapters,
       "peft folder of a LoRA adapter to merge into the weights before they are rounded; DIR=0.5 merges half of "
       "it; may be given several times")
      ->type_name("DIR[=WEIGHT]");
  c->add_option("--calibration", a->calibration,
                "texts like yours, one per line, to fit q8 and q4 to (default: built-in ones)")
      ->type_name("FILE");
  c->add_option("--self-test", a->self_test, "one more text whose vector the file keeps for later checks")
      ->type_name("TEXT");
  add_threads_option(*c, a->threads);
  c->add_flag("--quiet", a->quiet, "no progress bar and no summary on stderr");
  c->callback([a] { convert(*a); });
}

}  // namespace cli
