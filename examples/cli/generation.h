// What generate, chat and perplexity share: the generator's and the sampling options, the prompt's tokens, and printing
// what comes.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "common.h"

namespace cli {

using Generator = GeneratorHandle;

// Fields of the library's option structs, with this program's defaults: those that llama.cpp's users know.
struct GenerationArguments {
  int64_t context = 0;
  std::string kv_type = "f16", kv_memory, grammar_file, schema, schema_file;
  int threads = 0, sequences = 1;
  std::vector<std::string> stop, bias;
  quern_generation_options options = quern_generation_options_default();
  std::string grammar, schema_text;
  std::vector<const char*> stops;
  std::vector<int32_t> bias_ids;
  std::vector<float> bias_values;
  GenerationArguments();
};

void add_generator_options(CLI::App& command, GenerationArguments& a);
void add_sampling_options(CLI::App& command, GenerationArguments& a);

Generator open_generator(const Model& model, const GenerationArguments& a);
// Reads the files that the options name and points `options` at what they say. Throws Failure.
void settle(GenerationArguments& a);

std::vector<int32_t> tokens_of(const Model& model, const std::string& text, bool add_special);
std::vector<int32_t> chat_tokens(const Model& model, const std::string& conversation);
std::string read_whole_file(const std::string& path);  // "-": standard input

// Ctrl-C while one of these lives sets pressed() instead of ending the program.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  static bool pressed();
  static void clear();
};

}  // namespace cli
