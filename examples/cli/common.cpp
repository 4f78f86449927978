#include "common.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "model_names.h"
#include "os/console.h"
#include "os/process.h"

namespace cli {

void check(quern_status status, int code) {
  if (status != QUERN_OK) throw Failure{code, quern_last_error()};
}

namespace {

// Before anything is downloaded.
void require_machine() {
  if (!quern_isa() || !quern_backend()) throw Failure{2, quern_last_error()};
}

Model load_path(const std::string& path) {
  quern_model* model = nullptr;
  check(quern_model_load(path.c_str(), &model));
  return Model(model);
}

}  // namespace

Model load(const std::string& name) {
  require_machine();
  return load_path(path_of(name));
}

Model load_source(const std::string& name) {
  require_machine();
  return load_path(path_of(name, "source"));
}

Session open_session(const Model& model, int threads) {
  quern_session* session = nullptr;
  check(quern_session_new(model.get(), threads, &session), 2);
  return Session(session);
}

Adapter load_adapter(const Model& model, const std::string& folder) {
  if (folder.empty()) return nullptr;
  quern_adapter* made = nullptr;
  check(quern_adapter_load(model.get(), folder.c_str(), &made));
  Adapter adapter(made);
  for (size_t i = 0; quern_adapter_note(made, i); ++i) std::fprintf(stderr, "note: %s\n", quern_adapter_note(made, i));
  return adapter;
}

void add_adapter_option(CLI::App& command, std::string& folder) {
  command.add_option("--adapter", folder, "peft folder of a LoRA adapter, applied beside the model's weights")
      ->type_name("DIR");
}

void add_model_option(CLI::App& command, std::string& model) {
  command.add_option("-m,--model", model, kModelHelp)->required()->type_name("MODEL");
  add_choice_options(command);
}

void add_threads_option(CLI::App& command, int& threads) {
  command.add_option("-t,--threads", threads, "threads (default: the CPUs that this process may use)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
}

void add_kv_type_option(CLI::App& command, std::string& kv_type, const std::string& help) {
  std::vector<std::string> names;
  for (int i = 0; quern_kv_type(i); ++i) names.emplace_back(quern_kv_type(i));
  command.add_option("--kv-type", kv_type, help)->type_name("NAME")->check(CLI::IsMember(names));
}

void add_machine_options(CLI::App& command) {
  const auto set = [](const char* name) { return [name](const std::string& value) { os::set_variable(name, value); }; };
  command.add_option_function<std::string>("--isa", set("QUERN_ISA"), "force an instruction set (as QUERN_ISA does)")
      ->type_name("NAME");
  command
      .add_option_function<std::string>("--backend", set("QUERN_BACKEND"),
                                        "whose matrix products: native, openblas (f32), onednn (q8, bf16)")
      ->type_name("NAME");
  command
      .add_option_function<std::string>(
          "--device", set("QUERN_DEVICE"),
          "where layers run: cpu, cuda, cuda:<index>, or auto: a CUDA device that is there")
      ->type_name("NAME");
  command
      .add_option_function<std::string>("--gpu-layers", set("QUERN_GPU_LAYERS"),
                                        "the last so many layers on the device: a number, all, or auto: what fits")
      ->type_name("N");
}

uint64_t bytes_of(const std::string& text, const std::string& option) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const std::string unit = end;
  const double factor = unit == "K" ? 0x1p10 : unit == "M" ? 0x1p20 : unit == "G" ? 0x1p30 : unit.empty() ? 1 : 0;
  if (text.empty() || end == text.c_str() || factor == 0 || !(value >= 1 && value * factor < 0x1p62))
    throw Failure{2, option + ": expected bytes, as 64M or 2G, found \"" + text + "\""};
  return static_cast<uint64_t>(value * factor);
}

bool stderr_is_terminal() {
  return os::is_terminal(os::Stream::error);
}

std::vector<std::string> names_of(const char* (*name)(size_t i)) {
  std::vector<std::string> names;
  while (const char* one = name(names.size())) names.push_back(one);
  return names;
}

}  // namespace cli
