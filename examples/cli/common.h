// What the commands share: failing in one sentence, owning the library's handles, and the entry of each command.
#pragma once
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

Model load(const std::string& path);
Session open_session(const Model& model, int threads);

bool stderr_is_terminal();

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
void add_verify(CLI::App& app);
void add_generate(CLI::App& app);
void add_chat(CLI::App& app);
void add_serve(CLI::App& app);
void add_perplexity(CLI::App& app);

// -m and -t, as every command that runs a model takes them.
void add_model_option(CLI::App& command, std::string& model);
void add_threads_option(CLI::App& command, int& threads);
// --kv-type; help: what it is about.
void add_kv_type_option(CLI::App& command, std::string& kv_type, const std::string& help);
// --isa and --backend: set before the library is first used.
void add_machine_options(CLI::App& command);

}  // namespace cli
