#include "app.h"

#include <algorithm>
#include <csignal>
#include <thread>
#include <unordered_map>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "access.h"
#include "routes.h"
#include "signals.h"

namespace server {
namespace {

// All routes, by path; a path may take several methods.
class Router {
 public:
  Router() {
    for (const auto routes :
         {embedding_routes(), scoring_routes(), token_routes(), openai_routes(), tgi_routes(), about_routes()})
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

class Front {
 public:
  explicit Front(App& app) : app_(app) {}

  void handle(Exchange& http) {
    const auto* routes = router_.find(http.request.path);
    const Dialect dialect = router_.dialect(http.request.path);
    const char* path = routes ? routes->front()->path : "other";
    http.finish = [this, path, origin = http.request.get_header_value("Origin")](httplib::Response& response) {
      allow_origin(app_.options, origin, response);
      const std::string labels =
          std::string("route=\"") + path + "\",status=\"" + std::to_string(response.status) + '"';
      app_.metrics.counter("quern_requests_total", labels).add();
    };
    try {
      if (!answer_preflight(app_.options, http.request, http.response)) answer(http, routes, dialect);
    } catch (const Refusal& refusal) {
      refuse(http, refusal, dialect);
    } catch (const QuernError& e) {
      refuse(http, refusal_of(e), dialect);
    } catch (const std::bad_alloc&) {
      refuse(http, {Reason::overloaded, "out of memory"}, dialect);
    } catch (const std::exception& e) {
      refuse(http, {Reason::internal, e.what()}, dialect);
    }
    if (!http.produces()) http.finish(http.response);
  }

  httplib::Response refuse_framing(const Refusal& refusal, std::string_view path) {
    return refused(app_, refusal, router_.dialect(path));
  }

 private:
  void answer(Exchange& http, const std::vector<const Route*>* routes, Dialect dialect) {
    Call call(app_, http, dialect);
    const Route* route = routes ? choose(*routes, http) : nullptr;
    const bool open = route && route->open;
    check_access(app_.options, http.request, open);
    if (http.late() && !open) throw Refusal{Reason::draining, "the server is shutting down"};
    if (route) return route->handle(call);
    if (!answer_model(call))
      throw Refusal{Reason::not_found,
                    "there is no " + http.request.path.substr(0, 100) + " here; /openapi.json lists what there is"};
  }
  static const Route* choose(const std::vector<const Route*>& routes, Exchange& http) {
    const std::string method = http.request.method == "HEAD" ? "GET" : http.request.method;
    std::string allowed;
    for (const Route* route : routes) {
      if (method == route->method) return route;
      allowed += (allowed.empty() ? "" : ", ") + std::string(route->method);
    }
    http.response.set_header("Allow", allowed);
    throw Refusal{Reason::method, http.request.path + " takes " + allowed + ", not " + http.request.method};
  }
  void refuse(Exchange& http, const Refusal& refusal, Dialect dialect) {
    httplib::Response made = refused(app_, refusal, dialect);
    const std::string allowed = http.response.get_header_value("Allow");
    if (!allowed.empty()) made.set_header("Allow", allowed);
    http.response.headers = made.headers;
    http.response.status = made.status;
    http.response.body = made.body;
  }

  App& app_;
  const Router router_;
};

// glibc gives each thread an arena of its own, up to eight for each CPU, and each keeps what its largest request took:
// with dozens of workers resident memory climbs for minutes. Fewer arenas that all share: the same speed, memory that
// is flat once every thread has worked.
void share_arenas(int threads) {
#ifdef __GLIBC__
  const int running = threads > 0 ? threads : static_cast<int>(std::thread::hardware_concurrency());
  mallopt(M_ARENA_MAX, std::max(4, 2 * running));
#else
  (void)threads;
#endif
}

}  // namespace

httplib::Response refused(App& app, const Refusal& refusal, Dialect dialect) {
  const RefusalText text = render(refusal, dialect, app.options.old_tei);
  app.metrics.counter("te_request_failure", failure_label(refusal.reason)).add();
  httplib::Response response;
  response.status = text.status;
  response.body = text.body;
  response.set_header("Content-Type", "application/json");
  if (refusal.reason == Reason::overloaded) response.set_header("Retry-After", kRetryAfter);
  if (refusal.reason == Reason::unauthorized) response.set_header("WWW-Authenticate", "Bearer");
  return response;
}

App::App(const Options& o) : options(o), models_(std::make_shared<const Models>(o.models, o.limits, metrics)) {}

std::shared_ptr<const Models> App::models() const {
  std::lock_guard lock(mutex_);
  return models_;
}

void App::reload() {
  auto fresh = std::make_shared<const Models>(options.models, options.limits, metrics);
  std::lock_guard lock(mutex_);
  models_.swap(fresh);  // requests that run keep the old ones; the last of them ends those
}

void serve(const Options& options, const std::function<void(const std::string&)>& say) {
  share_arenas(options.limits.texts.n_threads);
  App app(options);
  Front front(app);
  HttpServer http(
      options.http, [&](Exchange& exchange) { front.handle(exchange); },
      [&](const Refusal& refusal, std::string_view path) { return front.refuse_framing(refusal, path); });
  app.http = &http;
  const int port = http.bind(options.host, options.port);
  std::string names;
  for (const auto& model : app.models()->all()) {
    std::string tasks;
    for (const std::string& task : model->tasks()) tasks += (tasks.empty() ? "" : ", ") + task;
    names += (names.empty() ? "" : ", ") + model->id + " (" + tasks + ")";
  }
  const bool v6 = options.host.find(':') != std::string::npos;
  say("serving " + names + " on http://" + (v6 ? "[" + options.host + "]" : options.host) + ":" + std::to_string(port));
  const Signals signals([&](int signal) {
    if (signal != SIGHUP) return http.stop();
    try {
      app.reload();
      say("reloaded");
    } catch (const QuernError& e) {
      say("not reloaded: " + e.message);
    }
  });
  http.run(options.deadline_seconds);
}

}  // namespace server
