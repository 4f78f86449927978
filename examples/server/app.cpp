#include "app.h"

#include <algorithm>
#include <thread>
#include <unordered_map>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "access.h"
#include "os/memory.h"
#include "os/process.h"
#include "os/signals.h"
#include "routes.h"

namespace server {
namespace {

// All routes, by path; a path may take several methods.
class Router {
 public:
  Router() {
    for (const auto routes : {embedding_routes(), scoring_routes(), token_routes(), openai_routes(), anthropic_routes(),
                              responses_routes(), ollama_routes(), tgi_routes(), adapter_routes(), about_routes()})
      for (const Route& route : routes) by_path_[route.path].push_back(&route);
  }
  const std::vector<const Route*>* find(const std::string& path) const {
    const auto at = by_path_.find(path);
    return at == by_path_.end() ? nullptr : &at->second;
  }
  Dialect dialect(std::string_view path) const {
    const auto* routes = find(std::string(path));
    return routes ? routes->front()->dialect : Dialect::openai;
  }

 private:
  std::unordered_map<std::string, std::vector<const Route*>> by_path_;
};

const char* failure_label(Reason reason) {
  switch (reason) {
    case Reason::wrong_task:
      return "err=\"model_type\"";
    case Reason::overloaded:
    case Reason::memory:
      return "err=\"overloaded\"";
    case Reason::deadline:
      return "err=\"dropped\"";
    case Reason::failed:
    case Reason::internal:
      return "err=\"inference\"";
    default:
      return "err=\"validation\"";
  }
}

class Front final : public Application {
 public:
  explicit Front(App& app) : app_(app) {}

  void handle(Exchange& http) override {
    const auto* routes = router_.find(http.request.path);
    const Dialect dialect = router_.dialect(http.request.path);
    const auto record = record_of(http.request, http.request.remote_addr, http.arrived);
    http.finish = [this, path = label_of(routes), origin = http.request.get_header_value("Origin"),
                   record](httplib::Response& response) { finish(path, origin, *record, response); };
    try {
      if (!answer_preflight(app_.options, http.request, http.response)) answer(http, routes, dialect, record);
    } catch (...) {
      refuse(http, refusal_of_current(), dialect, *record);
    }
    if (http.produces()) return;
    http.finish(http.response);
    record->bytes = http.response.body.size();
  }

  std::optional<httplib::Response> turn_away(const httplib::Request& head, bool late,
                                             const std::string& client) override {
    const auto* routes = router_.find(head.path);
    httplib::Response response;
    std::shared_ptr<RequestRecord> record;
    try {
      if (!answer_preflight(app_.options, head, response)) route_of(routes, head, response, late);
      return std::nullopt;
    } catch (...) {
      record = record_of(head, client, Clock::now());
      respond(response, refusal_of_current(), router_.dialect(head.path), *record);
    }
    finish(label_of(routes), head.get_header_value("Origin"), *record, response);
    record->bytes = response.body.size();
    return response;
  }

  bool is_quick(std::string_view path) const override {
    const auto* routes = router_.find(std::string(path.substr(0, path.find('?'))));
    return routes && routes->front()->open;
  }

  httplib::Response refuse(const Refusal& refusal, std::string_view path, const std::string& client) override {
    RequestRecord record(app_.access_log, app_.metrics);
    record.id = request_id({});
    record.client = client;
    record.path = path;
    httplib::Response response;
    respond(response, refusal, router_.dialect(path), record);
    response.set_header("x-request-id", record.id);
    record.status = response.status;
    record.bytes = response.body.size();
    return response;
  }

 private:
  using Routes = std::vector<const Route*>;

  static const char* label_of(const Routes* routes) { return routes ? routes->front()->path : "other"; }
  std::shared_ptr<RequestRecord> record_of(const httplib::Request& request, const std::string& client,
                                           Clock::time_point arrived) {
    auto record = std::make_shared<RequestRecord>(app_.access_log, app_.metrics);
    record->id = request_id(request.get_header_value("x-request-id"));
    record->client = client;
    record->method = request.method;
    record->path = request.path;
    record->arrived = arrived;
    return record;
  }
  void finish(const char* path, const std::string& origin, RequestRecord& record, httplib::Response& response) {
    allow_origin(app_.options, origin, response);
    response.set_header("x-request-id", record.id);
    record.status = response.status;
    app_.metrics
        .counter("quern_requests_total", label("route", path) + ',' + label("status", std::to_string(response.status)))
        .add();
  }

  void answer(Exchange& http, const Routes* routes, Dialect dialect, const std::shared_ptr<RequestRecord>& record) {
    const Route* route = route_of(routes, http.request, http.response, http.late());
    Call call(app_, http, dialect, record);
    if (route) return route->handle(call);
    if (!answer_model(call)) throw not_found(http.request);
  }

  // All that a head decides. Null: the path is none of the table, but may be a model's. Throws Refusal.
  static const Route* choose(const Routes& routes, const httplib::Request& request, httplib::Response& response) {
    const std::string method = request.method == "HEAD" ? "GET" : request.method;
    std::string allowed;
    for (const Route* route : routes) {
      if (method == route->method) return route;
      allowed += (allowed.empty() ? "" : ", ") + std::string(route->method);
    }
    response.set_header("Allow", allowed);
    throw Refusal{Reason::method, request.path + " takes " + allowed + ", not " + request.method};
  }
  const Route* route_of(const Routes* routes, const httplib::Request& request, httplib::Response& response, bool late) {
    const Route* route = routes ? choose(*routes, request, response) : nullptr;
    const bool open = route && route->open;
    check_access(app_.options, request, open);
    if (late && !open) throw Refusal{Reason::draining, "the server is shutting down"};
    if (!route && request.method != "GET") throw not_found(request);
    return route;
  }
  static Refusal not_found(const httplib::Request& request) {
    return {Reason::not_found,
            "there is no " + request.path.substr(0, 100) + " here; /openapi.json lists what there is"};
  }

  void refuse(Exchange& http, const Refusal& refusal, Dialect dialect, const RequestRecord& record) {
    respond(http.response, refusal, dialect, record);
  }
  void respond(httplib::Response& response, const Refusal& refusal, Dialect dialect, const RequestRecord& record) {
    httplib::Response made = refused(app_, refusal, dialect);
    app_.say(refusal.reason == Reason::internal ? Level::error : Level::debug,
             "request " + record.id + " from " + record.client + " got " + std::to_string(made.status) + " at " +
                 escaped(record.path) + ": " + escaped(refusal.message));
    const std::string allowed = response.get_header_value("Allow");
    if (!allowed.empty()) made.set_header("Allow", allowed);
    response.headers = made.headers;
    response.status = made.status;
    response.body = made.body;
  }

  App& app_;
  const Router router_;
};

// glibc gives each thread an arena of its own, up to eight for each CPU, and each keeps what its largest request took:
// with dozens of workers resident memory climbs for minutes. Fewer arenas that all share: the same speed, memory that
// is flat once every thread has worked. Each but the first reserves 64 MiB of addresses, which are not given back:
// where those are what is limited, one arena.
void share_arenas(int threads) {
#ifdef __GLIBC__
  const int running = threads > 0 ? threads : static_cast<int>(std::thread::hardware_concurrency());
  mallopt(M_ARENA_MAX, os::address_space_is_limited() ? 1 : std::max(4, 2 * running));
#else
  (void)threads;
#endif
}

// Files, models, what waits for sockets: what is open besides connections.
constexpr size_t kOtherDescriptors = 64;

// "minilm (embed), chat (generate)"
std::string names_of(const Models& models) {
  std::string names;
  for (const auto& slot : models.all()) {
    const auto facts = slot->facts();
    std::string tasks = facts->known ? "" : "loaded on demand";
    for (const std::string& task : facts->tasks()) tasks += (tasks.empty() ? "" : ", ") + task;
    names += (names.empty() ? "" : ", ") + slot->id + " (" + tasks + ")";
  }
  return names;
}

// Before what its threads work on.
struct Ends {
  std::unique_ptr<HttpServer>& server;
  ~Ends() { server.reset(); }
};

void say_threads(const App& app, const Say& say) {
  for (const auto& slot : app.models()->all())
    if (const auto model = slot->if_loaded())
      if (const std::string lack = model->lack_of_threads(app.options.limits.texts.n_threads); !lack.empty())
        say(Level::warn, "warning: " + lack);
}

void say_notes(const App& app, const Say& say) {
  for (const auto& slot : app.models()->all())
    if (const auto model = slot->if_loaded())
      for (const std::string& note : model->notes) say(Level::info, "note: " + note);
}

void say_room(const App& app, const Say& say) {
  for (const auto& slot : app.models()->all())
    if (const auto model = slot->if_loaded(); model && model->generation)
      say(Level::info, "note: " + slot->id + ": " + model->generation->room());
}

}  // namespace

httplib::Response refused(App& app, const Refusal& refusal, Dialect dialect) {
  const RefusalText text = render(refusal, dialect, app.options.old_tei);
  app.metrics.counter("te_request_failure", failure_label(refusal.reason)).add();
  httplib::Response response;
  response.status = text.status;
  response.body = text.body;
  response.set_header("Content-Type", "application/json");
  if (refusal.reason == Reason::overloaded || refusal.reason == Reason::memory)
    response.set_header("Retry-After", kRetryAfter);
  if (refusal.reason == Reason::unauthorized) response.set_header("WWW-Authenticate", "Bearer");
  return response;
}

App::App(const Options& o)
    : options(o),
      access_log(o.access_log, metrics),
      room(o.room),
      gate(static_cast<size_t>(o.limits.texts.n_threads > 0 ? o.limits.texts.n_threads : quern_usable_cpus()),
           static_cast<size_t>(o.limits.texts.max_requests)),
      models_(std::make_shared<const Models>(o.models, o.limits, metrics, room, o.lazy)) {}

std::shared_ptr<const Models> App::models() const {
  std::lock_guard lock(mutex_);
  return models_;
}

size_t App::longest_answer() const {
  constexpr size_t kLeast = size_t{64} << 20, kFloat = 16, kVector = 64;  // bytes as JSON, at most
  if (options.longest_answer > 0) return options.longest_answer;
  size_t most = kLeast;
  for (const auto& slot : models()->all()) {
    const size_t width = static_cast<size_t>(std::max<int64_t>(slot->facts()->width, 0));
    most = std::max(most, options.client_batch * (width * kFloat + kVector));
  }
  return most;
}

void App::reload() {
  const std::vector<ModelSource> sources = options.find_models ? options.find_models() : options.models;
  auto fresh = std::make_shared<const Models>(sources, options.limits, metrics, room, options.lazy);
  std::lock_guard lock(mutex_);
  models_.swap(fresh);  // requests that run keep the old ones; the last of them ends those
}

void serve(const Options& given, const Say& say) {
  for (const std::string& key : given.keys) check_key_text(key, "keys");
  Options options = given;
  const size_t wanted = options.http.connections + kOtherDescriptors;
  const size_t descriptors = std::min(os::allow_open_files(wanted), wanted);
  options.http.connections = std::min(options.http.connections, std::max<size_t>(descriptors, 128) - kOtherDescriptors);
  share_arenas(options.limits.texts.n_threads);
  os::Signals signals;  // a reload that is asked for while models are loaded comes after it
  auto http = std::make_unique<HttpServer>(options.http);  // before the models, whose threads may be all there are
  App app(options);
  Front front(app);
  const Ends ends{http};
  app.http = http.get();
  const int port = http->bind(options.host, options.port);
  signals.keep_all();  // who reads what follows may end the server at once
  say_threads(app, say);
  say_notes(app, say);
  say_room(app, say);
  if (options.lazy || options.room.memory > 0 || options.room.idle.count() > 0)
    app.room.say = [&say](const std::string& line) { say(Level::info, "note: " + line); };
  app.say = [&say](Level level, const std::string& line) {
    say(level, (level == Level::error ? "error: " : "debug: ") + line);
  };
  say(Level::info, "serving " + names_of(*app.models()) + " on http://" +
                       (options.host.find(':') != std::string::npos ? "[" + options.host + "]" : options.host) + ":" +
                       std::to_string(port));
  signals.start([&](int signal) {
    if (!os::Signals::asks_to_reload(signal)) return http->stop();
    try {
      app.reload();
      say(Level::info, "reloaded");
    } catch (const QuernError& e) {
      say(Level::error, "not reloaded: " + e.message);
    } catch (const std::exception& e) {
      say(Level::error, std::string("not reloaded: ") + e.what());
    }
  });
  http->run(front, options.deadline_seconds);
  signals.stop();
}

}  // namespace server
