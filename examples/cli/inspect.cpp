// quern inspect: what is in a model, and which source decided each thing.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "common.h"
#include "model_names.h"
#include "texts.h"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string modules_text(const Json& pipeline) {
  std::string text;
  for (const Json& m : pipeline.is_array() ? pipeline : pipeline.value("modules", Json::array()))
    text += (text.empty() ? "" : " > ") + m.dump();
  return text;
}

void print_report(const Json& m, bool all) {
  for (const char* key : {"path", "format", "architecture", "type", "width", "layers", "vocabulary", "positions",
                          "max_length", "similarity", "default_prompt", "fingerprint"})
    std::printf("%-16s %s\n", key, text_of(m.at(key)).c_str());
  std::printf("%-16s %s\n", "pipeline", modules_text(m.at("pipeline")).c_str());
  for (const char* head : {"classifier", "sparse", "multi_vector"})
    if (m.at("pipeline").contains(head)) std::printf("%-16s %s\n", head, m.at("pipeline").at(head).dump().c_str());
  const Json& device = m.at("device");
  std::printf("%-16s %s, %lld layers, %.1f MB (%s)\n", "device", text_of(device.at("name")).c_str(),
              static_cast<long long>(device.at("layers").get<int64_t>()), device.at("bytes").get<double>() / 1e6,
              text_of(device.at("why")).c_str());
  std::printf("%-16s %s @ %s\n", "source", text_of(m.at("source").at("repo")).c_str(),
              text_of(m.at("source").at("revision")).c_str());
  if (m.contains("sampling")) {
    std::string sampling;
    for (const auto& [name, value] : m.at("sampling").items()) {
      char text[32];
      std::snprintf(text, sizeof text, " %g", value.get<double>());
      sampling += (sampling.empty() ? "" : ", ") + name + text;
    }
    std::printf("%-16s %s\n", "sampling", sampling.c_str());
  }
  for (const auto& [name, text] : m.at("prompts").items())
    std::printf("prompt %-9s %s\n", name.c_str(), text.dump().c_str());
  std::printf("\ndecided by\n");
  for (const Json& d : m.at("decisions"))
    std::printf("  %-22s %-28s %s\n", text_of(d.at("what")).c_str(), text_of(d.at("value")).c_str(),
                text_of(d.at("source")).c_str());
  const Json& file = m.at("file");
  if (file.contains("keys")) {
    std::printf("\nkeys\n");
    for (const Json& k : file.at("keys"))
      std::printf("  %-40s %-16s %s\n", text_of(k.at("name")).c_str(), text_of(k.at("type")).c_str(),
                  text_of(k.at("value")).c_str());
  }
  const Json& tensors = file.at("tensors");
  const size_t shown = all ? tensors.size() : std::min<size_t>(tensors.size(), 24);
  std::printf("\ntensors (%zu, %.1f MB)\n", tensors.size(), file.at("bytes").get<double>() / 1e6);
  for (size_t i = 0; i < shown; ++i)
    std::printf("  %-40s %-6s %-20s %10lld\n", text_of(tensors[i].at("name")).c_str(),
                text_of(tensors[i].at("type")).c_str(), tensors[i].at("shape").dump().c_str(),
                static_cast<long long>(tensors[i].at("bytes").get<int64_t>()));
  if (shown < tensors.size()) std::printf("  … and %zu more (--all)\n", tensors.size() - shown);
}

void self_test(const Model& model, bool json) {
  char* text = nullptr;
  check(quern_model_self_test(model.get(), &text));
  const StringHandle owner(text);
  const Json report = Json::parse(text);
  if (json) std::printf("%s\n", text);
  for (const Json& t : report.at("texts"))
    if (!json)
      std::printf("%s  cosine %.6f  %s\n", t.at("ids_equal").get<bool>() ? "ids equal " : "ids DIFFER",
                  t.at("cosine").get<double>(), one_line(text_of(t.at("text")), 60).c_str());
  const bool passed = report.at("passed").get<bool>();
  if (!json)
    std::printf("%s (cosines of at least %g are asked)\n", passed ? "passed" : "FAILED",
                report.at("least_cosine").get<double>());
  finish_stdout();
  if (!passed) throw Failure{1, "the self-test did not pass: the file or this machine's arithmetic is not what it was"};
}

}  // namespace

void add_inspect(CLI::App& app) {
  struct Arguments {
    std::string model;
    bool json = false, all = false, self_test = false;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* c = app.add_subcommand("inspect", "show what is in a model and which source decided each setting");
  c->add_option("model", a->model, kModelHelp)->required()->type_name("MODEL");
  add_choice_options(*c);
  add_machine_options(*c);
  c->add_flag("--json", a->json, "everything as one JSON object");
  c->add_flag("--all", a->all, "all tensors, not the first 24");
  c->add_flag("--self-test", a->self_test,
              "run the self-test that the file carries; exit code 1 when it does not pass");
  c->callback([a] {
    const Model model = load(a->model);
    if (a->self_test) return self_test(model, a->json);
    char* text = nullptr;
    check(quern_model_describe(model.get(), &text));
    const StringHandle owner(text);
    if (a->json)
      std::printf("%s\n", text);
    else
      print_report(Json::parse(text), a->all);
    finish_stdout();
  });
}

}  // namespace cli
