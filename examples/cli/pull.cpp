// quern pull: a model from the Hub into the caches, ready to run.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "interrupts.h"
#include "model_names.h"
#include "texts.h"

namespace cli {
namespace {

struct PullArguments {
  std::vector<std::string> names;
  std::string revision;
  std::vector<std::string> include, exclude;
  int threads = 0;
  bool quiet = false;
};

std::string with_revision(const std::string& name, const std::string& revision) {
  if (revision.empty()) return name;
  if (name.find('@') != std::string::npos) throw Failure{2, "pull: " + name + " and --revision both name a revision"};
  return name + '@' + revision;
}

void pull_one(const PullArguments& a, const std::string& given) {
  const auto start = std::chrono::steady_clock::now();
  const std::string name = with_revision(given, a.revision);
  HubLines lines(name, "", true, a.quiet);
  quern_hub_options o = hub_options(lines);
  const std::vector<const char*> include = pointers(a.include), exclude = pointers(a.exclude);
  o.include = include.data(), o.n_include = include.size();
  o.exclude = exclude.data(), o.n_exclude = exclude.size();
  o.refresh = 1;
  o.n_threads = a.threads;
  const Interrupts interrupts;
  char* text = nullptr;
  const quern_status status = quern_hub_pull(name.c_str(), &o, &text);
  const StringHandle owner(text);
  lines.finish(status);
  const nlohmann::json pulled = nlohmann::json::parse(text);
  std::string path = pulled.at("gguf").get<std::string>();
  if (path.empty()) path = pulled.at("folder").get<std::string>();
  const double downloaded = pulled.at("downloaded").get<double>();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (!a.quiet)
    std::fprintf(stderr, "quern: %s: %s at %.12s, %s of it downloaded in %.1f s\n", name.c_str(),
                 megabytes(pulled.at("bytes").get<double>()).c_str(), pulled.at("commit").get<std::string>().c_str(),
                 megabytes(downloaded).c_str(), seconds.count());
  if (include.empty() && exclude.empty()) {  // a choice of files may be no model
    o.refresh = 0;
    path = lines.model(name.substr(0, name.find('@')) + '@' + pulled.at("commit").get<std::string>(), o);
  }
  put(path + "\n");
}

}  // namespace

void add_pull(CLI::App& app) {
  auto a = std::make_shared<PullArguments>();
  CLI::App* c =
      app.add_subcommand("pull", "download a model from the Hugging Face Hub and convert it; prints its path");
  c->add_option("names", a->names, "org/name[:file][@revision], or a name that quern models --known lists")
      ->required()
      ->type_name("NAME");
  c->add_option("--revision", a->revision, "branch, tag or commit (default: main)")->type_name("R");
  c->add_option("--include", a->include,
                "files to download, as a pattern (*.json); may be given several times; nothing is converted then")
      ->type_name("GLOB")
      ->expected(1)
      ->take_all();
  c->add_option("--exclude", a->exclude, "files to leave out, likewise")->type_name("GLOB")->expected(1)->take_all();
  add_choice_options(*c);
  add_threads_option(*c, a->threads);
  c->add_flag("--quiet", a->quiet, "no progress and no summary on stderr");
  c->callback([a] {
    if (!quern_isa()) throw Failure{2, quern_last_error()};
    for (const std::string& name : a->names) pull_one(*a, name);
    finish_stdout();
  });
}

}  // namespace cli
