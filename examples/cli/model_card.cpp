#include "model_card.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "common.h"
#include "os/files.h"

namespace cli {
namespace {

using nlohmann::json;

// The path of the only model of a folder, and how it is named behind the repository's name.
struct OnlyModel {
  std::string path, file;
};

OnlyModel only_model(const std::string& folder) {
  if (os::exists(folder + "/config.json")) return {folder, ""};
  std::vector<std::string> found;
  std::error_code error;
  for (std::filesystem::directory_iterator at(os::path_of(folder), error), end; !error && at != end;
       at.increment(error))
    if (at->path().extension() == ".gguf") found.push_back(os::text_of(at->path().filename()));
  if (found.size() != 1) return {};
  return {folder + '/' + found[0], ':' + found[0]};
}

std::string task_of(const Model& model, const json& about) {
  const json& pipeline = about.at("pipeline");
  if (about.contains("sampling")) return "text-generation";
  const int64_t labels = quern_model_labels(model.get());
  if (labels > 0 && pipeline.contains("classifier") && pipeline["classifier"].value("per_token", false))
    return "token-classification";
  if (labels > 0) return labels == 1 ? "text-ranking" : "text-classification";
  return pipeline.contains("sparse") ? "feature-extraction" : "sentence-similarity";
}

std::string use_of(const std::string& task, const std::string& name) {
  const std::string model = " -m " + name + ' ';
  if (task == "text-generation") return "quern generate" + model + "-p \"a text\"";
  if (task == "text-ranking") return "quern rerank" + model + "-q \"a question\" -f texts.txt";
  if (task.ends_with("classification")) return "quern classify" + model + "-p \"a text\"";
  return "quern embed" + model + "-f texts.txt -o vectors.npy";
}

}  // namespace

std::string model_card(const std::string& folder, const std::string& name) {
  const OnlyModel only = only_model(folder);
  if (only.path.empty()) return {};
  const Model model = load(only.path);
  char* text = nullptr;
  check(quern_model_describe(model.get(), &text));
  const StringHandle owner(text);
  const json about = json::parse(text);
  const std::string task = task_of(model, about), type = about.at("type"), base = about.at("source").at("repo");
  std::string card = "---\nlibrary_name: quern\npipeline_tag: " + task + "\ntags:\n- quern\n- " +
                     about.at("architecture").get<std::string>() + '\n';
  if (!base.empty() && base != name) card += "base_model: " + json(base).dump() + "\nbase_model_relation: quantized\n";
  card += "---\n\n# " + name.substr(name.find('/') + 1) + "\n\n";
  card += "Weights as " + type + ", " + std::to_string(about.at("width").get<int64_t>()) +
          " values wide, for texts of up to " + std::to_string(about.at("max_length").get<int64_t>()) + " tokens" +
          (base.empty() || base == name ? "" : ", made from " + base) + ".\n\n";
  return card + "```sh\n" + use_of(task, name + only.file) + "\n```\n";
}

}  // namespace cli
