// What generate, chat and perplexity share: the generator's and the sampling options, the prompt's tokens, and printing
// what comes.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common.h"
#include "interrupts.h"

namespace cli {

using Generator = GeneratorHandle;

// Fields of the library's option structs, and what is given of the model's.
struct GenerationArguments {
  int64_t context = 0;
  std::string kv_type = "f16", kv_memory, adapter_folder, grammar_file, schema, schema_file;
  int threads = 0, sequences = 1;
  std::vector<std::string> stop, bias;
  quern_generation_options options = quern_generation_options_default();
  // Given on the command line; else the model's own, and a new seed.
  std::optional<float> temperature, top_p, min_p, repetition_penalty;
  std::optional<int> top_k;
  std::optional<uint64_t> seed;
  std::string grammar, schema_text;
  std::vector<const char*> stops;
  std::vector<int32_t> bias_ids;
  std::vector<float> bias_values;
  Adapter adapter;
};

void add_generator_options(CLI::App& command, GenerationArguments& a);
void add_sampling_options(CLI::App& command, GenerationArguments& a);

Generator open_generator(const Model& model, const GenerationArguments& a);
// What the command line leaves open of the sampling, by the model; and its adapter.
void settle_sampling(const Model& model, GenerationArguments& a);
// Reads the files that the options name and points `options` at what they say. Throws Failure.
void settle(GenerationArguments& a);

std::vector<int32_t> tokens_of(const Model& model, const std::string& text, bool add_special);
std::vector<int32_t> chat_tokens(const Model& model, const std::string& conversation);
std::string read_whole_file(const std::string& path);  // "-": standard input; without a byte order mark

}  // namespace cli
