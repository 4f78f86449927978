#include "generation.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "content.h"
#include "os/files.h"

namespace cli {
namespace {

// "ID=VALUE"
void read_bias(const std::string& text, GenerationArguments& a) {
  char* end = nullptr;
  const long id = std::strtol(text.c_str(), &end, 10);
  char* value_end = nullptr;
  const float value = *end == '=' ? std::strtof(end + 1, &value_end) : 0;
  if (end == text.c_str() || *end != '=' || value_end == end + 1 || *value_end != 0 || id < 0 || id > INT32_MAX)
    throw Failure{2, "--logit-bias: expected ID=VALUE, found \"" + text + "\""};
  a.bias_ids.push_back(static_cast<int32_t>(id));
  a.bias_values.push_back(value);
}

}  // namespace

void settle_sampling(const Model& model, GenerationArguments& a) {
  const quern_generation_options of_model = quern_model_generation_options(model.get());
  quern_generation_options& o = a.options;
  o.temperature = a.temperature.value_or(of_model.temperature);
  o.top_k = a.top_k.value_or(of_model.top_k);
  o.top_p = a.top_p.value_or(of_model.top_p);
  o.min_p = a.min_p.value_or(of_model.min_p);
  o.repetition_penalty = a.repetition_penalty.value_or(of_model.repetition_penalty);
  std::random_device device;
  o.seed = a.seed.value_or(device() & INT32_MAX);
  a.adapter = load_adapter(model, a.adapter_folder);
  o.adapter = a.adapter.get();
}

void add_generator_options(CLI::App& command, GenerationArguments& a) {
  command
      .add_option("-c,--ctx", a.context, "tokens of prompt and answer together (default: the model's, at most 4096)")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 24));
  add_kv_type_option(command, a.kv_type, "how keys and values are kept: i8 takes half of the memory");
  command
      .add_option("--kv-memory", a.kv_memory,
                  "most memory for them, as 64M or 2G (default: what the context needs, or what there is)")
      ->type_name("BYTES");
  add_threads_option(command, a.threads);
}

void add_sampling_options(CLI::App& command, GenerationArguments& a) {
  quern_generation_options& o = a.options;
  add_adapter_option(command, a.adapter_folder);
  const auto number = [&](const char* name, auto& value, const char* help) {
    command.add_option(name, value, help)->type_name("X");
  };
  command.add_option("-n,--n-gen", o.max_tokens, "most tokens of the answer (default: -1, until it ends)")
      ->type_name("N")
      ->check(CLI::Range(-1, 1 << 24));
  number("--temp", a.temperature, "temperature; 0: always the likeliest token (default: the model's, else 0.8)");
  number("--top-k", a.top_k, "only so many of the likeliest tokens; 0: all (default: the model's, else 40)");
  number("--top-p", a.top_p,
         "only the likeliest that reach this probability together (default: the model's, else 0.95)");
  number("--min-p", a.min_p,
         "only those at least this probable, relative to the likeliest (default: the model's, else 0.05)");
  number("--typical-p", o.typical_p, "locally typical sampling; 1: off (default: 1)");
  number("--repeat-penalty", a.repetition_penalty,
         "for tokens that came before; 1: none (default: the model's, else 1)");
  number("--repeat-last-n", o.penalty_last_n, "how far back that looks; -1: to the beginning (default: -1)");
  number("--frequency-penalty", o.frequency_penalty, "for each time that a token was generated (default: 0)");
  number("--presence-penalty", o.presence_penalty, "for tokens that were generated at all (default: 0)");
  command.add_option("-s,--seed", a.seed, "the same seed gives the same text (default: a new one, which is printed)")
      ->type_name("N");
  command.add_option("--stop", a.stop, "end before this string; may be given again")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  command.add_option("--logit-bias", a.bias, "added to a token's logit; may be given again")
      ->type_name("ID=X")
      ->allow_extra_args(false);
  command.add_option("--grammar", a.grammar_file, "a file with a GBNF grammar that the answer must match")
      ->type_name("FILE");
  command.add_option("--json-schema", a.schema, "a JSON schema that the answer must match ({}: any JSON)")
      ->type_name("JSON");
  command.add_option("--json-schema-file", a.schema_file, "the same from a file")->type_name("FILE");
  command
      .add_option("--speculate", o.speculate,
                  "tokens to guess from the text so far: faster where it repeats (default: 0)")
      ->type_name("N")
      ->check(CLI::Range(0, 16));
  command.add_flag("--ignore-eos", o.ignore_end, "go on behind tokens that end a text");
}

void settle(GenerationArguments& a) {
  if (!a.schema.empty() && !a.schema_file.empty())
    throw Failure{2, "expected --json-schema or --json-schema-file, found both"};
  for (const std::string& bias : a.bias) read_bias(bias, a);
  for (const std::string& stop : a.stop) a.stops.push_back(stop.c_str());
  a.options.stop = a.stops.data();
  a.options.n_stop = a.stops.size();
  a.options.bias_ids = a.bias_ids.data();
  a.options.bias = a.bias_values.data();
  a.options.n_bias = a.bias_ids.size();
  if (!a.grammar_file.empty()) a.options.grammar = (a.grammar = read_whole_file(a.grammar_file)).c_str();
  a.schema_text = a.schema_file.empty() ? a.schema : read_whole_file(a.schema_file);
  if (!a.schema_text.empty()) a.options.json_schema = a.schema_text.c_str();
}

Generator open_generator(const Model& model, const GenerationArguments& a) {
  quern_generator_options options = quern_generator_options_default();
  options.n_threads = a.threads;
  options.context = a.context;
  options.sequences = a.sequences;
  options.kv_type = a.kv_type.c_str();
  if (!a.kv_memory.empty()) options.kv_memory = bytes_of(a.kv_memory, "--kv-memory");
  quern_generator* generator = nullptr;
  check(quern_generator_new(model.get(), &options, &generator), 2);
  return Generator(generator);
}

std::vector<int32_t> tokens_of(const Model& model, const std::string& text, bool add_special) {
  quern_tokenize_options options = quern_tokenize_options_default();
  options.add_special = add_special;
  options.max_length = -1;
  std::vector<int32_t> ids(text.size() + 16);
  size_t n = 0;
  check(quern_tokenize(model.get(), text.data(), text.size(), &options, ids.data(), ids.size(), &n));
  ids.resize(n);
  return ids;
}

std::vector<int32_t> chat_tokens(const Model& model, const std::string& conversation) {
  int32_t* ids = nullptr;
  size_t n = 0;
  check(quern_chat_tokens(model.get(), conversation.data(), conversation.size(), &ids, &n), 2);
  const IdsHandle owned(ids);
  return {ids, ids + n};
}

std::string read_whole_file(const std::string& path) {
  constexpr size_t kMost = size_t{1} << 30;
  std::FILE* const file = path == "-" ? stdin : os::open_stream(path, "rb");
  if (!file) throw Failure{1, path + ": " + std::strerror(errno)};
  std::string text;
  char block[65536];
  size_t n;
  while ((n = std::fread(block, 1, sizeof block, file)) > 0 && text.size() <= kMost) text.append(block, n);
  const bool failed = std::ferror(file) != 0;
  if (file != stdin) std::fclose(file);
  if (failed) throw Failure{1, path + ": cannot be read"};
  if (text.size() > kMost) throw Failure{1, path + ": larger than 1 GiB"};
  drop_byte_order_mark(text, path);
  return text;
}

}  // namespace cli
