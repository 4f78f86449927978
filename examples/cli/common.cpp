#include "common.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

namespace cli {

void check(quern_status status, int code) {
  if (status != QUERN_OK) throw Failure{code, quern_last_error()};
}

Model load(const std::string& path) {
  if (!quern_isa() || !quern_backend()) throw Failure{2, quern_last_error()};
  quern_model* model = nullptr;
  check(quern_model_load(path.c_str(), &model));
  return Model(model);
}

Session open_session(const Model& model, int threads) {
  quern_session* session = nullptr;
  check(quern_session_new(model.get(), threads, &session), 2);
  return Session(session);
}

void add_model_option(CLI::App& command, std::string& model) {
  command.add_option("-m,--model", model, "model file, Hugging Face folder, or repo id in the local Hub cache")
      ->required()
      ->type_name("MODEL");
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
  const auto set = [](const char* name) {
    return [name](const std::string& value) { setenv(name, value.c_str(), 1); };
  };
  command.add_option_function<std::string>("--isa", set("QUERN_ISA"), "force an instruction set (as QUERN_ISA does)")
      ->type_name("NAME");
  command
      .add_option_function<std::string>("--backend", set("QUERN_BACKEND"),
                                        "whose matrix products: native, openblas (f32), onednn (q8, bf16)")
      ->type_name("NAME");
}

bool stderr_is_terminal() {
  return isatty(STDERR_FILENO) == 1;
}

std::vector<std::string> names_of(const char* (*name)(size_t i)) {
  std::vector<std::string> names;
  while (const char* one = name(names.size())) names.push_back(one);
  return names;
}

}  // namespace cli
