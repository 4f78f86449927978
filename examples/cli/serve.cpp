// quern serve: models over HTTP.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "../server/app.h"
#include "common.h"

namespace cli {
namespace {

// A value of the file as the command line would have it.
std::string as_argument(const nlohmann::json& value, const std::string& where) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  throw Failure{2, where + ": expected a string, a number, true or false, found " + value.dump().substr(0, 40)};
}

// A JSON object of long options' names; what the command line has goes before it.
void read_config(CLI::App& command, const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Failure{1, path + ": cannot open"};
  const nlohmann::json config = nlohmann::json::parse(file, nullptr, false);
  if (!config.is_object()) throw Failure{1, path + ": expected a JSON object of options"};
  for (const auto& [name, value] : config.items()) {
    const std::string where = path + ": \"" + name + '"';
    CLI::Option* option = name.starts_with('-') ? nullptr : command.get_option_no_throw("--" + name);
    if (!option || !option->get_configurable()) throw Failure{2, where + " is no option of serve"};
    if (option->count() > 0) continue;
    const bool list = value.is_array();
    if (list && option->get_items_expected_max() <= 1) throw Failure{2, where + " takes one value, not a list"};
    for (const nlohmann::json& entry : list ? value : nlohmann::json::array({value}))
      option->add_result(as_argument(entry, where));
    if (option->count() == 0) continue;
    try {
      option->run_callback();
    } catch (const CLI::ParseError& e) {
      throw Failure{2, path + ": " + e.what()};
    }
  }
}

struct ServeArguments {
  std::vector<std::string> models;
  server::Options options;
  std::string kv_type, config;
  int64_t kv_memory = 0, context = 0, sequences = 16, chunk = 32, queue = 1024, max_body = 32 << 20,
          client_batch = 2048;
  int threads = 0;
  bool no_truncate = false;
};

void serve(ServeArguments& a) {
  server::Options& o = a.options;
  if (a.models.empty()) throw Failure{2, "serve: which model? -m MODEL (try --help)"};
  for (const std::string& model : a.models) o.models.push_back(server::parse_source(model));
  if (const char* key = std::getenv("QUERN_API_KEY"); key && *key) o.keys.push_back(key);
  o.truncate = !a.no_truncate;
  o.client_batch = static_cast<size_t>(a.client_batch);
  o.http.framing.body = static_cast<size_t>(a.max_body);
  o.http.buffered = std::max(o.http.buffered, 4 * o.http.framing.body);
  o.http.workers = static_cast<size_t>(a.queue) * a.models.size() + 64;
  o.limits.texts.n_threads = a.threads;
  o.limits.texts.max_requests = a.queue;
  o.limits.generation.scheduler.max_requests = a.queue;
  quern_generator_options& g = o.limits.generation.generator;
  g.n_threads = a.threads;
  g.context = a.context;
  g.sequences = a.sequences;
  g.kv_type = a.kv_type.empty() ? nullptr : a.kv_type.c_str();
  g.kv_memory = static_cast<uint64_t>(a.kv_memory) << 20;
  g.chunk = a.chunk;
  try {
    server::serve(o, [](const std::string& line) { std::fprintf(stderr, "quern: %s\n", line.c_str()); });
  } catch (const server::QuernError& e) {
    throw Failure{1, e.message};
  }
}

}  // namespace

void add_serve(CLI::App& app) {
  CLI::App* c = app.add_subcommand(
      "serve", "answer over HTTP, as OpenAI's, TEI's, TGI's, Jina's, Cohere's and Ollama's clients ask");
  auto a = std::make_shared<ServeArguments>();
  server::Options& o = a->options;
  c->add_option("-m,--model", a->models, "a model to serve, or NAME=MODEL; may be given several times")->take_all();
  c->add_option("--host", o.host, "address to listen on")->capture_default_str();
  c->add_option("--port", o.port, "0: any free one")->check(CLI::Range(0, 65535))->capture_default_str();
  c->add_option("--api-key", o.keys, "a key that clients have to send (also QUERN_API_KEY); may be given several times")
      ->take_all();
  c->add_option("--allow-host", o.hosts, "a name that the server is reached by; * for any (a key makes this needless)")
      ->take_all();
  c->add_option("--cors-origin", o.cors_origins, "a site whose pages may ask; * for any")->take_all();
  add_threads_option(*c, a->threads);
  c->add_option("--max-batch-tokens", o.limits.texts.batch_tokens, "tokens of one pass of an encoder")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24))
      ->capture_default_str();
  c->add_option("--max-client-batch", a->client_batch, "texts of one request")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  c->add_option("--max-body", a->max_body, "bytes of one request")
      ->check(CLI::Range(int64_t{1024}, int64_t{1} << 31))
      ->capture_default_str();
  c->add_option("--queue", a->queue, "requests that may wait for a model before more are refused")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 14))
      ->capture_default_str();
  c->add_option("--deadline", o.deadline_seconds, "seconds that a request may take; 0: any")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  c->add_option("--ctx", a->context, "decoders: tokens of a sequence; 0: the model's, at most 4096")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
  c->add_option("--sequences", a->sequences, "decoders: that run at once")
      ->check(CLI::Range(int64_t{1}, int64_t{1024}))
      ->capture_default_str();
  c->add_option("--prompt-chunk", a->chunk, "decoders: tokens of prompts in one pass: fewer let others wait less")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 16))
      ->capture_default_str();
  c->add_option("--kv-memory", a->kv_memory, "decoders: MiB for keys and values; 0: as all contexts need")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
  add_kv_type_option(*c, a->kv_type, "decoders: how keys and values are kept: i8 takes half of the memory");
  c->add_flag("--no-truncate", a->no_truncate, "texts that are too long are errors, unless the request says otherwise");
  c->add_flag("--tei-413", o.old_tei, "413 in place of 422, as TEI before 1.9");
  c->add_flag("--accept-token-ids", o.token_ids, "ids of the model's own vocabulary may stand for texts");
  c->add_option("--config", a->config, "a JSON object of these options, without their dashes")->configurable(false);
  add_machine_options(*c);
  c->callback([a, c] {
    if (!a->config.empty()) read_config(*c, a->config);
    serve(*a);
  });
}

}  // namespace cli
