// quern: one program, a subcommand for each task. Called by the name of a subcommand (./embed) it is that subcommand.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include "common.h"
#include "help.h"
#include "os/console.h"
#include "texts.h"

namespace {

// A model file that becomes shorter while it is mapped takes away memory in use; what can be had is an end that says
// so.
constexpr const char* kLostFile =
    "quern: a file in use became shorter, or its disk failed: replace model files by renaming a new one over them, "
    "never by writing into them\n";

int run(const std::vector<std::string>& given) {
  CLI::App app{"quern runs Hugging Face text models on ordinary CPUs.", "quern"};
  app.set_version_flag("--version", std::string("quern ") + quern_version());
  app.require_subcommand(1);
  cli::add_embed(app);
  cli::add_search(app);
  cli::add_dedup(app);
  cli::add_rerank(app);
  cli::add_classify(app);
  cli::add_generate(app);
  cli::add_chat(app);
  cli::add_serve(app);
  cli::add_verify(app);
  cli::add_perplexity(app);
  cli::add_tokenize(app);
  cli::add_pull(app);
  cli::add_push(app);
  cli::add_models(app);
  cli::add_convert(app);
  cli::add_inspect(app);
  cli::add_bench(app);
  cli::add_help(app);
  std::vector<std::string> arguments(given.begin() + 1, given.end());
  const std::string name = os::called_as(given.at(0));
  for (const CLI::App* command : app.get_subcommands([](CLI::App*) { return true; }))
    if (name == command->get_name()) arguments.insert(arguments.begin(), name);
  cli::rewrite_help_words(arguments);
  cli::require_command(app, arguments);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 takes them
  try {
    app.parse(reversed);
  } catch (const CLI::Success& e) {  // help, version
    app.exit(e);
    std::cout.flush();
  } catch (const CLI::ExtrasError&) {
    throw cli::Failure{2, cli::unexpected(app)};
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "quern: %s (try --help)\n", e.what());
    return 2;
  }
  cli::finish_stdout();  // whatever was printed, it is there
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  os::begin_program();
  os::end_on_lost_memory(kLostFile);
  try {
    return run(os::arguments(argc, argv));
  } catch (const cli::Failure& e) {
    std::fprintf(stderr, "quern: %s\n", e.message.c_str());
    return e.code;
  } catch (const std::system_error& e) {
    const bool threads = e.code() == std::errc::resource_unavailable_try_again;
    std::fprintf(stderr, "quern: %s%s\n",
                 threads ? "no thread can be started, the system allows no more (ulimit -u, or "
                           "the limit of processes of its control group): "
                         : "",
                 e.what());
    return 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "quern: %s\n", e.what());
    return 1;
  }
}
