// quern models: what is in the caches, what has a short name, and taking models out.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "model_names.h"
#include "texts.h"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

using Table = std::vector<std::vector<std::string>>;

// Columns as wide as their longest entry; all but the last.
void print(const Table& table) {
  std::vector<size_t> widths;
  for (const auto& row : table)
    for (size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (const auto& row : table) {
    for (size_t i = 0; i < row.size(); ++i)
      text += row[i] + (i + 1 < row.size() ? std::string(widths[i] - row[i].size() + 2, ' ') : "");
    text += '\n';
  }
  put(text);
}

Json taken_json(quern_status status, char* text) {
  const StringHandle owner(text);
  check(status);
  return Json::parse(text);
}

void list_known(bool json) {
  char* text = nullptr;
  const quern_status status = quern_hub_known(&text);
  const Json known = taken_json(status, text);
  if (json) return put(known.dump() + "\n");
  Table table = {{"NAME", "TASK", "PARAMETERS", "VECTOR", "TOKENS", "LICENCE", "REPOSITORY", "GOOD FOR"}};
  for (const Json& m : known) {
    const auto dimensions = m.at("dimensions").get<int64_t>();
    table.push_back({m.at("name"), m.at("task"), std::to_string(m.at("parameters").get<int64_t>() / 1000000) + " M",
                     dimensions > 0 ? std::to_string(dimensions) : "-", std::to_string(m.at("tokens").get<int64_t>()),
                     m.at("license"), m.at("repo"), m.at("good_for")});
  }
  print(table);
}

void list_stored(bool json) {
  char* text = nullptr;
  const quern_status status = quern_hub_list(&text);
  const Json stored = taken_json(status, text);
  if (json) return put(stored.dump() + "\n");
  Table table = {{"NAME", "REVISION", "COMMIT", "FILES", "CONVERTED"}};
  for (const Json& m : stored) {
    std::string revisions, converted;
    for (const Json& r : m.at("revisions")) revisions += (revisions.empty() ? "" : ",") + r.get<std::string>();
    for (const Json& c : m.at("converted"))
      converted += (converted.empty() ? "" : ", ") + c.at("type").get<std::string>() + " " +
                   megabytes(c.at("bytes").get<double>());
    const auto files = m.at("files").get<int64_t>();
    table.push_back({one_line(m.at("name").get<std::string>(), 200), revisions.empty() ? "-" : one_line(revisions, 60),
                     m.at("commit").get<std::string>().substr(0, 12),
                     files > 0 ? std::to_string(files) + ", " + megabytes(m.at("bytes").get<double>()) : "-",
                     converted.empty() ? "-" : converted});
  }
  if (stored.empty())
    put("no models yet: quern pull NAME gets one, and quern models --known lists well-known ones\n");
  else
    print(table);
}

void remove(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    char* text = nullptr;
    const quern_status status = quern_hub_remove(name.c_str(), &text);
    const Json removed = taken_json(status, text);
    put(one_line(name, 200) + ": " + megabytes(removed.at("bytes").get<double>()) + " removed\n");
  }
}

}  // namespace

void add_models(CLI::App& app) {
  struct Arguments {
    bool known = false, json = false;
    std::vector<std::string> names;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* c =
      app.add_subcommand("models", "list the models that are on this machine, or well-known ones; remove some");
  c->add_flag("--known", a->known, "models with short names: what each is good for");
  c->add_flag("--json", a->json, "as JSON");
  CLI::App* rm = c->add_subcommand("rm", "remove models from the caches, the Hub's and quern's own");
  rm->add_option("names", a->names, "org/name for all of it, org/name@revision for one")->required()->type_name("NAME");
  c->require_subcommand(0, 1);
  c->callback([a, rm] {
    if (rm->parsed())
      remove(a->names);
    else if (a->known)
      list_known(a->json);
    else
      list_stored(a->json);
    finish_stdout();
  });
}

}  // namespace cli
