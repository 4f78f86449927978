// quern serve: models over HTTP.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "../server/access.h"
#include "common.h"
#include "model_names.h"
#include "os/files.h"
#include "os/process.h"

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
  std::ifstream file(os::path_of(path));
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
    if (list && value.empty()) throw Failure{2, where + ": the list is empty: give a value, or leave the option out"};
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

// A model by name is called by the repository's, without revision and file.
server::ModelSource source_of(const std::string& text) {
  server::ModelSource source = server::parse_source(text);
  if (os::exists(source.path) || text != source.path) return source;
  return {server::parse_source(text.substr(0, text.find_first_of("@:"))).id, text};
}

// The adapters of the models: NAME=DIR where there is one model, else MODEL:NAME=DIR. where: for messages.
void add_adapters(const std::vector<std::string>& adapters, std::vector<server::ModelSource>& models,
                  const std::string& where) {
  for (const std::string& text : adapters) {
    const size_t equals = std::min(text.find('='), text.size());
    const std::string whole = text.substr(0, equals);
    const size_t colon = whole.rfind(':');
    const std::string model = colon == std::string::npos ? "" : whole.substr(0, colon), name = whole.substr(colon + 1);
    const auto of = model.empty() && models.size() == 1
                        ? models.begin()
                        : std::find_if(models.begin(), models.end(), [&](const auto& m) { return m.id == model; });
    if (name.empty() || name == "latest" || equals + 1 >= text.size())
      throw Failure{2, where + ": expected NAME=DIR, or MODEL:NAME=DIR, found \"" + text + "\""};
    if (of == models.end())
      throw Failure{2, where + ": \"" + text + "\": " +
                           (model.empty() ? "which model's? MODEL:NAME=DIR" : "no model is called \"" + model + "\"")};
    for (const server::AdapterSource& other : of->adapters)
      if (other.name == name) throw Failure{2, where + ": \"" + of->id + "\" has two adapters \"" + name + "\""};
    of->adapters.push_back({name, text.substr(equals + 1)});
  }
}

// The models that the file names now. adapters: of the command line, which go before the file's.
std::vector<server::ModelSource> models_of_config(const std::string& path, std::vector<std::string> adapters) {
  std::ifstream file(os::path_of(path));
  if (!file) throw std::runtime_error(path + ": cannot open");
  const nlohmann::json config = nlohmann::json::parse(file, nullptr, false);
  if (!config.is_object()) throw std::runtime_error(path + ": expected a JSON object of options");
  const nlohmann::json models = config.value("model", nlohmann::json());
  const nlohmann::json list = models.is_array() ? models : nlohmann::json::array({models});
  std::vector<server::ModelSource> sources;
  for (const nlohmann::json& model : list) {
    if (!model.is_string()) throw std::runtime_error(path + ": \"model\": expected a model, or a list of them");
    sources.push_back(source_of(model.get<std::string>()));
  }
  if (sources.empty()) throw std::runtime_error(path + ": \"model\" names none");
  const std::string where = path + ": \"adapter\"";
  const nlohmann::json named = config.value("adapter", nlohmann::json::array());
  try {
    if (adapters.empty())
      for (const nlohmann::json& adapter : named.is_array() ? named : nlohmann::json::array({named}))
        adapters.push_back(as_argument(adapter, where));
    add_adapters(adapters, sources, where);
  } catch (const Failure& e) {
    throw std::runtime_error(e.message);
  }
  return sources;
}

constexpr const char* levels[] = {"error", "warn", "info", "debug"};  // as server::Level has them

struct ServeArguments {
  std::vector<std::string> models, adapters, own_adapters;  // own: of the command line
  server::Options options;
  std::string kv_type, config, access_log = "off", log_level = "info";
  bool models_in_config = false;  // not on the command line
  int64_t kv_memory = 0, context = 0, sequences = 16, chunk = 32, queue = 1024, max_body = 32 << 20, max_answer = 0,
          client_batch = 2048;
  double idle = 0;
  std::string max_memory;
  int threads = 0;
  bool no_truncate = false;
};

server::Level level_of(const std::string& name) {
  for (size_t i = 0; i < std::size(levels); ++i)
    if (name == levels[i]) return static_cast<server::Level>(i);
  return server::Level::info;
}

// Those of the command line and the configuration, and the environment's.
void read_keys(std::vector<std::string>& keys) {
  try {
    for (const std::string& key : keys) server::check_key_text(key, "--api-key");
    const auto key = os::variable("QUERN_API_KEY");
    if (!key) return;
    server::check_key_text(*key, "QUERN_API_KEY");
    keys.push_back(*key);
  } catch (const std::invalid_argument& e) {
    throw Failure{2, std::string("serve: ") + e.what()};
  }
}

void serve(ServeArguments& a) {
  server::Options& o = a.options;
  if (a.models.empty()) throw Failure{2, "serve: which model? -m MODEL (try --help)"};
  read_keys(o.keys);
  for (const std::string& model : a.models) o.models.push_back(source_of(model));
  add_adapters(a.adapters, o.models, "--adapter");
  for (server::ModelSource& source : o.models) source.path = path_of(source.path);
  if (a.models_in_config)
    o.find_models = [path = a.config, adapters = a.own_adapters] {
      std::vector<server::ModelSource> found = models_of_config(path, adapters);
      for (server::ModelSource& source : found) source.path = path_of_in_server(source.path);
      return found;
    };
  o.truncate = !a.no_truncate;
  o.client_batch = static_cast<size_t>(a.client_batch);
  o.http.framing.body = static_cast<size_t>(a.max_body);
  o.http.buffered = std::max(o.http.buffered, 16 * o.http.framing.body);
  o.longest_answer = static_cast<size_t>(a.max_answer);
  o.http.all_unsent = std::max(o.http.all_unsent, 4 * o.longest_answer);
  o.http.workers = static_cast<size_t>(a.queue) * a.models.size() + 64;
  o.access_log = a.access_log == "json"   ? server::AccessLog::Format::json
                 : a.access_log == "text" ? server::AccessLog::Format::text
                                          : server::AccessLog::Format::off;
  o.room.idle = server::ModelRoom::Seconds(a.idle);
  if (!a.max_memory.empty()) o.room.memory = bytes_of(a.max_memory, "--max-memory");
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
    server::serve(o, [least = level_of(a.log_level)](server::Level level, const std::string& line) {
      if (level <= least) std::fprintf(stderr, "quern: %s\n", line.c_str());
    });
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
  c->add_option("--adapter", a->adapters,
                "a LoRA adapter (peft folder) that requests choose as model \"MODEL:NAME\"; with several models "
                "MODEL:NAME=DIR; may be given several times")
      ->type_name("NAME=DIR")
      ->take_all();
  c->add_flag("--adapter-routes", o.adapter_routes,
              "requests may load adapters from folders of this machine and unload them, as vLLM's and llama-server's "
              "clients do");
  add_choice_options(*c);
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
  c->add_option("--max-answer", a->max_answer, "bytes of one answer; 0: 64 MiB, or a whole batch of vectors")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 31))
      ->capture_default_str();
  c->add_option("--queue", a->queue, "requests that may wait for a model before more are refused")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 14))
      ->capture_default_str();
  c->add_option("--deadline", o.deadline_seconds, "seconds that a request may take; 0: any")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  c->add_option("--ctx", a->context,
                "decoders: tokens of a sequence; 0: the model's, at most 4096, fewer where memory is short")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
  c->add_option("--sequences", a->sequences, "decoders: that run at once")
      ->check(CLI::Range(int64_t{1}, int64_t{1024}))
      ->capture_default_str();
  c->add_option("--prompt-chunk", a->chunk, "decoders: tokens of prompts in one pass: fewer let others wait less")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 16))
      ->capture_default_str();
  c->add_option("--kv-memory", a->kv_memory,
                "decoders: MiB for keys and values; 0: as all contexts need, or as there is")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
  add_kv_type_option(*c, a->kv_type, "decoders: how keys and values are kept: i8 takes half of the memory");
  c->add_flag("--no-truncate", a->no_truncate, "texts that are too long are errors, unless the request says otherwise");
  c->add_flag("--tei-413", o.old_tei, "413 in place of 422, as TEI before 1.9");
  c->add_flag("--accept-token-ids", o.token_ids, "ids of the model's own vocabulary may stand for texts");
  c->add_option("--access-log", a->access_log, "a line for each request on standard output: text, json or off")
      ->check(CLI::IsMember({"text", "json", "off"}))
      ->capture_default_str();
  c->add_option("--log-level", a->log_level, "what standard error is told: error, warn, info or debug")
      ->check(CLI::IsMember({"error", "warn", "info", "debug"}))
      ->capture_default_str();
  c->add_flag("--lazy", o.lazy, "load models on their first request, not at the start");
  c->add_option("--idle-unload", a->idle, "seconds after which a model that nobody uses is unloaded; 0: never")
      ->check(CLI::Range(0.0, 1e9))
      ->capture_default_str();
  c->add_option(
      "--max-memory", a->max_memory,
      "bytes, as 500M or 16G, that weights, keys and values of loaded models take; those unused for longest make "
      "room");
  c->add_option("--config", a->config, "a JSON object of these options, without their dashes")->configurable(false);
  add_machine_options(*c);
  c->callback([a, c] {
    a->own_adapters = a->adapters;
    a->models_in_config = !a->config.empty() && a->models.empty();
    if (!a->config.empty()) read_config(*c, a->config);
    serve(*a);
  });
}

}  // namespace cli
