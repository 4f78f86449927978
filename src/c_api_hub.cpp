// include/quern/hub.h over the library: models by name.
#include <nlohmann/json.hpp>

#include "c_api.h"
#include "hub/known_models.h"
#include "hub/snapshot.h"
#include "pull/hub_files.h"
#include "pull/push.h"
#include "store/model_list.h"
#include "store/model_store.h"

struct quern_hub_files {
  quern::HubFiles rep;
};

namespace {

using Json = nlohmann::ordered_json;
using quern::c_api::guard;
using quern::c_api::merged;
using quern::c_api::require;

std::vector<std::string> patterns_of(const char* const* list, size_t n, const char* what) {
  std::vector<std::string> patterns;
  require(list != nullptr || n == 0, what);
  for (size_t i = 0; i < n; ++i) {
    require(list[i] != nullptr, what);
    patterns.emplace_back(list[i]);
  }
  return patterns;
}

template <class Options>
quern::PullReport report_of(const Options& o) {
  if (o.progress == nullptr) return {};
  return [progress = o.progress, user = o.user](const quern::PullProgress& p) {
    return progress(user, static_cast<quern_hub_phase>(p.phase), p.what.c_str(), p.done, p.total) == 0;
  };
}

// For what only the Hub has. Throws Error where it is not to be asked.
quern::HubSettings online_settings(const quern_hub_options& o, const std::string& name,
                                   const char* not_done = "nothing is downloaded") {
  quern::HubSettings settings = quern::hub_settings();
  if (o.offline != 0) settings.offline = true, settings.offline_source = "the option offline";
  if (settings.offline)
    throw quern::Error(quern::Status::unsupported, name + ": " + not_done + ", since " + settings.offline_source +
                                                       " keeps quern from asking the Hub");
  return settings;
}

void hand_out(const Json& value, char** json) {
  *json = quern::c_api::copy_string(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace

quern_hub_options quern_hub_options_default(void) {
  quern_hub_options options = {};
  options.size = sizeof options;
  return options;
}

quern_status quern_hub_model(const char* name, const quern_hub_options* options, char** path) {
  return guard([&] {
    require(name && path, "quern_hub_model: name and path must not be NULL");
    *path = nullptr;
    const quern_hub_options o = merged(options, quern_hub_options_default());
    quern::ModelRequest request;
    request.name = name;
    request.type = o.type != nullptr ? o.type : "";
    request.offline = o.offline != 0;
    request.refresh = o.refresh != 0;
    request.threads = o.n_threads;
    request.report = report_of(o);
    *path = quern::c_api::copy_string(quern::ready_model(request).path);
  });
}

quern_status quern_hub_pull(const char* name, const quern_hub_options* options, char** json) {
  return guard([&] {
    require(name && json, "quern_hub_pull: name and json must not be NULL");
    *json = nullptr;
    const quern_hub_options o = merged(options, quern_hub_options_default());
    const auto parsed = quern::parse_repo_name(name);
    if (!parsed) quern::throw_no_model(name);
    quern::PullOptions pull;
    pull.refresh = o.refresh != 0;
    pull.include = patterns_of(o.include, o.n_include, "quern_hub_pull: a pattern of include is NULL");
    pull.exclude = patterns_of(o.exclude, o.n_exclude, "quern_hub_pull: a pattern of exclude is NULL");
    pull.report = report_of(o);
    const quern::HubSettings settings = online_settings(o, parsed->text());
    const quern::Pulled pulled = quern::pull(*parsed, settings, pull);
    hand_out({{"name", parsed->text()},
              {"commit", pulled.commit},
              {"folder", pulled.folder},
              {"gguf", pulled.gguf},
              {"files", pulled.files},
              {"bytes", pulled.bytes},
              {"downloaded", pulled.downloaded}},
             json);
  });
}

quern_status quern_hub_list(char** json) {
  return guard([&] {
    require(json, "quern_hub_list: json must not be NULL");
    Json list = Json::array();
    for (const quern::StoredModel& m : quern::stored_models()) {
      Json converted = Json::array();
      for (const auto& c : m.converted) converted.push_back({{"type", c.type}, {"path", c.path}, {"bytes", c.bytes}});
      list.push_back({{"name", m.name},
                      {"commit", m.commit},
                      {"revisions", m.revisions},
                      {"downloaded", m.downloaded},
                      {"files", m.files},
                      {"bytes", m.bytes},
                      {"converted", converted}});
    }
    hand_out(list, json);
  });
}

quern_status quern_hub_remove(const char* name, char** json) {
  return guard([&] {
    require(name, "quern_hub_remove: name must not be NULL");
    if (json != nullptr) *json = nullptr;
    const quern::Removed removed = quern::remove_model(name);
    if (json != nullptr) hand_out({{"removed", removed.paths}, {"bytes", removed.bytes}}, json);
  });
}

quern_status quern_hub_files_open(const char* address, const quern_hub_options* options, quern_hub_files** files) {
  return guard([&] {
    require(address && files, "quern_hub_files_open: address and files must not be NULL");
    *files = nullptr;
    const quern_hub_options o = merged(options, quern_hub_options_default());
    const quern::HubAddress parsed = quern::parse_hub_address(address);
    const quern::HubSettings settings = online_settings(o, parsed.repo.text());
    *files = new quern_hub_files{quern::HubFiles(parsed, settings, report_of(o))};
  });
}

quern_status quern_hub_files_list(const quern_hub_files* files, char** json) {
  return guard([&] {
    require(files && json, "quern_hub_files_list: files and json must not be NULL");
    *json = nullptr;
    const quern::HubFiles& all = files->rep;
    Json list = Json::array();
    for (const quern::HubFiles::File& f : all.files())
      list.push_back({{"path", f.path}, {"bytes", f.about.size}, {"hash", f.about.etag()}});
    hand_out({{"repo", all.name().place()}, {"commit", all.commit()}, {"folder", all.folder()}, {"files", list}}, json);
  });
}

quern_status quern_hub_files_fetch(quern_hub_files* files, size_t i, int descriptor) {
  return guard([&] {
    require(files && i < files->rep.files().size(),
            "quern_hub_files_fetch: files must not be NULL, nor i past their end");
    files->rep.fetch(i, descriptor);
  });
}

void quern_hub_files_free(quern_hub_files* files) {
  delete files;
}

quern_hub_push_options quern_hub_push_options_default(void) {
  quern_hub_push_options options = {};
  options.size = sizeof options;
  return options;
}

quern_status quern_hub_push(const char* folder, const char* name, const quern_hub_push_options* options, char** json) {
  return guard([&] {
    require(folder && name && json, "quern_hub_push: folder, name and json must not be NULL");
    *json = nullptr;
    const quern_hub_push_options o = merged(options, quern_hub_push_options_default());
    const auto parsed = quern::parse_repo_name(name);
    const bool whole = std::string(name).find('/') != std::string::npos;  // no short name of another's
    if (!parsed || !whole || !parsed->file.empty() || quern::is_commit(parsed->revision))
      throw quern::Error(quern::Status::bad_argument,
                         std::string(name) + ": expected org/name or org/name@branch, a repository to push to");
    quern::PushOptions push;
    push.is_private = o.is_private != 0;
    push.tag = o.tag != nullptr ? o.tag : "";
    push.message = o.message != nullptr ? o.message : "";
    push.card = o.card != nullptr ? o.card : "";
    push.include = patterns_of(o.include, o.n_include, "quern_hub_push: a pattern of include is NULL");
    push.exclude = patterns_of(o.exclude, o.n_exclude, "quern_hub_push: a pattern of exclude is NULL");
    push.report = report_of(o);
    const quern::HubSettings settings =
        online_settings(quern_hub_options_default(), parsed->text(), "nothing is pushed");
    const quern::Pushed pushed = quern::push(folder, *parsed, settings, push);
    hand_out({{"commit", pushed.commit},
              {"url", pushed.url},
              {"files", pushed.files},
              {"bytes", pushed.bytes},
              {"uploaded", pushed.uploaded}},
             json);
  });
}

quern_status quern_hub_known(char** json) {
  return guard([&] {
    require(json, "quern_hub_known: json must not be NULL");
    Json list = Json::array();
    for (const quern::KnownModel& m : quern::known_models())
      list.push_back({{"name", m.name},
                      {"repo", m.repo},
                      {"task", m.task},
                      {"good_for", m.good_for},
                      {"dimensions", m.dimensions},
                      {"tokens", m.tokens},
                      {"parameters", int64_t{m.millions} * 1000000},
                      {"license", m.license}});
    hand_out(list, json);
  });
}
