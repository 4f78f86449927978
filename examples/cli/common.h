// What the commands share: failing in one sentence, owning the library's handles, and the entry of each command.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "../handles.h"

namespace CLI {
class App;
}

namespace cli {

// Ends the program with one sentence on stderr: code 2 is wrong use, 1 is failure.
struct Failure {
  int code;
  std::string message;
};

// Throws Failure{code} with the library's last error unless status is QUERN_OK.
void check(quern_status status, int code = 1);

using namespace handles;
using Model = ModelHandle;
using Session = SessionHandle;

// name: a path, or a model by name, which is downloaded and converted where it has to be (model_names.h).
Model load(const std::string& name);
// What a model was made from, not converted.
Model load_source(const std::string& name);
Session open_session(const Model& model, int threads);
using Adapter = AdapterHandle;
// Null for an empty name; notes about it go to stderr.
Adapter load_adapter(const Model& model, const std::string& folder);

bool stderr_is_terminal();

// "512", "64M", "2G" → bytes. Throws Failure that names the option.
uint64_t bytes_of(const std::string& text, const std::string& option);

// What one of the library's lists has: quern_written_type, quern_pooling_mode.
std::vector<std::string> names_of(const char* (*name)(size_t i));

// Each adds its subcommand; what it does runs when it is parsed.
void add_embed(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_convert(CLI::App& app);
void add_inspect(CLI::App& app);
void add_bench(CLI::App& app);
void add_rerank(CLI::App& app);
void add_classify(CLI::App& app);
void add_search(CLI::App& app);
void add_dedup(CLI::App& app);
void add_verify(CLI::App& app);
void add_generate(CLI::App& app);
void add_chat(CLI::App& app);
void add_serve(CLI::App& app);
void add_perplexity(CLI::App& app);
void add_pull(CLI::App& app);
void add_push(CLI::App& app);
void add_models(CLI::App& app);

constexpr const char* kModelHelp =
    "model file, Hugging Face folder, or a model by name: org/name[@revision], minilm (quern models --known)";

// -m with --type and --offline, and -t, as every command that runs a model takes them.
void add_model_option(CLI::App& command, std::string& model);
// --adapter, as every command that runs a model takes it.
void add_adapter_option(CLI::App& command, std::string& folder);
void add_threads_option(CLI::App& command, int& threads);
// --kv-type; help: what it is about.
void add_kv_type_option(CLI::App& command, std::string& kv_type, const std::string& help);
// --isa, --backend, --device and --gpu-layers: set before the library is first used.
void add_machine_options(CLI::App& command);

}  // namespace cli
