// quern push: a folder with a model to the Hub.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "interrupts.h"
#include "model_card.h"
#include "model_names.h"
#include "texts.h"

namespace cli {
namespace {

struct PushArguments {
  std::string folder, name, tag, message;
  std::vector<std::string> include, exclude;
  bool is_private = false, no_card = false, quiet = false;
};

void push(const PushArguments& a) {
  const auto start = std::chrono::steady_clock::now();
  const std::string card = a.no_card ? "" : model_card(a.folder, a.name.substr(0, a.name.find('@')));
  HubLines lines(a.name, "", true, a.quiet);
  quern_hub_push_options o = quern_hub_push_options_default();
  const std::vector<const char*> include = pointers(a.include), exclude = pointers(a.exclude);
  o.include = include.data(), o.n_include = include.size();
  o.exclude = exclude.data(), o.n_exclude = exclude.size();
  o.is_private = a.is_private;
  o.tag = a.tag.empty() ? nullptr : a.tag.c_str();
  o.message = a.message.empty() ? nullptr : a.message.c_str();
  o.card = card.empty() ? nullptr : card.c_str();
  o.progress = &HubLines::on_progress;
  o.user = &lines;
  const Interrupts interrupts;
  char* text = nullptr;
  const quern_status status = quern_hub_push(a.folder.c_str(), a.name.c_str(), &o, &text);
  const StringHandle owner(text);
  lines.finish(status);
  const nlohmann::json pushed = nlohmann::json::parse(text);
  const std::string commit = pushed.at("commit");
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (!a.quiet)
    std::fprintf(stderr, "quern: %s: %zu files, %s, of which %s were new: %s in %.1f s\n", a.name.c_str(),
                 pushed.at("files").size(), megabytes(pushed.at("bytes").get<double>()).c_str(),
                 megabytes(pushed.at("uploaded").get<double>()).c_str(),
                 commit.empty() ? "nothing has changed" : commit.substr(0, 12).c_str(), seconds.count());
  put(pushed.at("url").get<std::string>() + '\n');
}

}  // namespace

void add_push(CLI::App& app) {
  auto a = std::make_shared<PushArguments>();
  CLI::App* c = app.add_subcommand(
      "push", "put a folder's files into a repository of the Hugging Face Hub, as one commit; prints its address");
  c->add_option("folder", a->folder, "the folder; hidden files are left out")->required()->type_name("DIR");
  c->add_option("name", a->name, "org/name[@branch], which is made where it is missing")->required()->type_name("NAME");
  c->add_option("--tag", a->tag, "a tag for the commit")->type_name("T");
  c->add_option("--message", a->message, "of the commit")->type_name("TEXT");
  c->add_flag("--private", a->is_private, "where the repository is made, others do not see it");
  c->add_flag("--no-card", a->no_card, "no README.md is made where the folder has none");
  c->add_option("--include", a->include, "files to push, as a pattern (*.json); may be given several times")
      ->type_name("GLOB")
      ->expected(1)
      ->take_all();
  c->add_option("--exclude", a->exclude, "files to leave out, likewise")->type_name("GLOB")->expected(1)->take_all();
  c->add_flag("--quiet", a->quiet, "no progress and no summary on stderr");
  c->callback([a] {
    push(*a);
    finish_stdout();
  });
}

}  // namespace cli
