// What `quern serve` was asked for, and what all requests share.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "access_log.h"
#include "gate.h"
#include "http_server.h"
#include "metrics.h"
#include "models.h"

namespace server {

struct Options {
  std::vector<ModelSource> models;
  // The models as they are to be served now, asked for at each reload; null: those above. Throws std::exception.
  std::function<std::vector<ModelSource>()> find_models;
  std::string host = "127.0.0.1";
  int port = 8080;
  std::vector<std::string> keys;          // none: anyone may ask
  std::vector<std::string> cors_origins;  // that pages of other sites may ask from
  std::vector<std::string> hosts;         // further names that the server is reached by; "*": any
  ModelLimits limits;
  HttpLimits http;
  size_t client_batch = 2048;  // texts of a request
  size_t longest_answer = 0;   // bytes; 0: App::longest_answer says
  int deadline_seconds = 300;  // 0: none
  bool truncate = true;        // texts that are too long, unless the request says otherwise
  bool old_tei = false;        // 413 where TEI before 1.9 answered it
  bool token_ids = false;      // ids of the model's own vocabulary may stand for texts
  bool lazy = false;           // models are loaded by the first request that needs them
  ModelRoom::Limits room;
  bool adapter_routes = false;  // requests may load adapters from this machine's folders, and unload them
  AccessLog::Format access_log = AccessLog::Format::off;
};

class App {
 public:
  // Loads the models. Throws QuernError.
  explicit App(const Options& options);

  // Those that are served now: a request keeps its own, whatever is reloaded meanwhile.
  std::shared_ptr<const Models> models() const;
  // Bytes that one answer may have: as it was given, else as much as a whole batch of the widest model's vectors takes.
  size_t longest_answer() const;
  // Loads all again from where they come. Throws QuernError, std::exception; the old ones stay then.
  void reload();

  const Options options;
  Metrics metrics;
  AccessLog access_log;
  Say say = [](Level, const std::string&) {};  // set before there are requests
  ModelRoom room;
  Gate gate;                         // for tokenizing on the worker that answers
  const HttpServer* http = nullptr;  // that its requests come from

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Models> models_;
};

// What a request that gets no answer gets instead, which is counted.
httplib::Response refused(App& app, const Refusal& refusal, Dialect dialect);

// Serves until SIGTERM or SIGINT; SIGHUP reloads. Messages go to `say`. Throws QuernError, std::runtime_error.
void serve(const Options& options, const Say& say);

}  // namespace server
