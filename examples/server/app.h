// What `quern serve` was asked for, and what all requests share.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http_server.h"
#include "metrics.h"
#include "models.h"

namespace server {

struct Options {
  std::vector<ModelSource> models;
  std::string host = "127.0.0.1";
  int port = 8080;
  std::vector<std::string> keys;          // none: anyone may ask
  std::vector<std::string> cors_origins;  // that pages of other sites may ask from
  std::vector<std::string> hosts;         // further names that the server is reached by; "*": any
  ModelLimits limits;
  HttpLimits http;
  size_t client_batch = 2048;  // texts of a request
  int deadline_seconds = 300;  // 0: none
  bool truncate = true;        // texts that are too long, unless the request says otherwise
  bool old_tei = false;        // 413 where TEI before 1.9 answered it
  bool token_ids = false;      // ids of the model's own vocabulary may stand for texts
};

class App {
 public:
  // Loads the models. Throws QuernError.
  explicit App(const Options& options);

  // Those that are served now: a request keeps its own, whatever is reloaded meanwhile.
  std::shared_ptr<const Models> models() const;
  // Loads all again from where they came. Throws QuernError; the old ones stay then.
  void reload();

  const Options options;
  Metrics metrics;
  const HttpServer* http = nullptr;  // that its requests come from

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Models> models_;
};

// What a request that gets no answer gets instead, which is counted.
httplib::Response refused(App& app, const Refusal& refusal, Dialect dialect);

// Serves until SIGTERM or SIGINT; SIGHUP reloads. Messages go to `say`, one line each. Throws QuernError,
// std::runtime_error.
void serve(const Options& options, const std::function<void(const std::string&)>& say);

}  // namespace server
