// quern: one program, a subcommand for each task. Called by the name of a subcommand (./embed) it is that subcommand.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "common.h"

namespace {

constexpr const char* kFooter =
    "Examples:\n"
    "  quern convert all-MiniLM-L6-v2/ -o minilm.q8\n"
    "  quern embed -m minilm.q8 -f texts.txt -o vectors.npy\n"
    "  quern embed -m minilm.q8 -p \"a text\" -p \"another\"\n"
    "  quern rerank -m reranker.q8 -q \"a question\" -f docs.txt --top-n 5\n"
    "  quern classify -m sst2.q8 -p \"what a lovely day\"\n"
    "  quern generate -m smollm2.gguf -p \"Why is the sky blue?\" -n 128\n"
    "  quern chat -m smollm2.gguf\n"
    "  quern serve -m minilm.q8 -m smollm2.gguf --port 8080\n"
    "  quern verify minilm.q8 --reference all-MiniLM-L6-v2/ -f texts.txt --min-cosine 0.99\n"
    "  quern inspect minilm.q8\n"
    "  quern bench -m minilm.q8 -p 16,128,512 -b 1,32\n\n"
    "A MODEL is a file made by quern convert, a Hugging Face folder with safetensors weights, or a repo id\n"
    "(org/name or org/name@revision) that is in the local Hub cache.\n"
    "QUERN_ISA=avx2 (scalar, avx512_vnni, neon, ...) forces an instruction set, as --isa does.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong use.";

int run(int argc, char** argv) {
  CLI::App app{"quern runs Hugging Face text models on ordinary CPUs.", "quern"};
  app.set_version_flag("--version", std::string("quern ") + quern_version());
  app.require_subcommand(1);
  app.footer(kFooter);
  cli::add_embed(app);
  cli::add_rerank(app);
  cli::add_classify(app);
  cli::add_generate(app);
  cli::add_chat(app);
  cli::add_serve(app);
  cli::add_verify(app);
  cli::add_perplexity(app);
  cli::add_tokenize(app);
  cli::add_convert(app);
  cli::add_inspect(app);
  cli::add_bench(app);
  std::vector<std::string> arguments(argv + 1, argv + argc);
  std::string name = argv[0];
  name = name.substr(name.rfind('/') + 1);
  for (const CLI::App* command : app.get_subcommands([](CLI::App*) { return true; }))
    if (name == command->get_name()) arguments.insert(arguments.begin(), name);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 takes them
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp& e) {
    return app.exit(e);
  } catch (const CLI::CallForVersion& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "quern: %s (try --help)\n", e.what());
    return 2;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const cli::Failure& e) {
    std::fprintf(stderr, "quern: %s\n", e.message.c_str());
    return e.code;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "quern: %s\n", e.what());
    return 1;
  }
}
