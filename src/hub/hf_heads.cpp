#include "hub/hf_heads.h"

#include <algorithm>

#include "heads/score_activation.h"

namespace quern {
namespace {

using nlohmann::json;

// The labels by their number: id2label, else LABEL_0 … as transformers makes them up.
std::vector<std::string> labels_of(const JsonFile& config) {
  const json* map = config.find("id2label");
  if (map == nullptr) {
    std::vector<std::string> labels(config.count("num_labels", 1, max_labels).value_or(2));
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = "LABEL_" + std::to_string(i);
    return labels;
  }
  if (!map->is_object() || map->empty() || map->size() > max_labels) config.wrong("id2label", "an object of labels");
  std::vector<std::string> labels(map->size());
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto found = map->find(std::to_string(i));
    if (found == map->end() || !found->is_string())
      config.wrong("id2label", "an object with a name for each of 0 to " + std::to_string(labels.size() - 1));
    labels[i] = found->get<std::string>();
  }
  return labels;
}

// torch's class of the activation that a cross-encoder states, and which file does; "" when none does. The file of
// sentence-transformers' own settings, where it saves it today, comes before the places that it was in earlier.
struct StatedActivation {
  std::string torch, file;
};
StatedActivation stated_activation(const HfFolder::ReadFile& read, const HfFolder& folder, const JsonFile& config) {
  constexpr const char* own_settings = "config_sentence_transformers.json";
  if (const auto own = read_json(folder.dir, read, own_settings))
    if (const std::string stated = own->string("activation_fn").value_or(""); !stated.empty())
      return {stated, own_settings};
  if (const json* own = config.find("sentence_transformers"); own && own->is_object()) {
    const auto found = own->find("activation_fn");
    if (found != own->end() && found->is_string()) return {found->get<std::string>(), "config.json"};
  }
  return {config.string("sbert_ce_default_activation_function").value_or(""), "config.json"};
}

// What scores go through: as sentence-transformers' CrossEncoder for one label, as transformers' pipelines for several.
Decision score_activation(const HfFolder::ReadFile& read, const HfFolder& folder, const JsonFile& config,
                          const ClassifierConfig& classifier) {
  const auto [stated, file] = stated_activation(read, folder, config);
  const std::string last = stated.substr(stated.rfind('.') + 1);
  if (!stated.empty()) {
    std::string known;
    for (const ScoreActivation& row : score_activations()) {
      if (!row.torch) continue;
      if (last == row.torch) return {"activation", row.name, file + ": " + stated};
      known = row.torch + (known.empty() ? "" : " nor " + known);
    }
    throw Error(Status::unsupported, folder.dir + "/" + file + ": the activation function '" + printable(stated) +
                                         "' of the scores is neither torch's " + known);
  }
  const std::string problem = config.string("problem_type").value_or("");
  if (problem == "regression" && classifier.labels.size() > 1)
    return {"activation", "none", "config.json: problem_type regression"};
  if (problem == "multi_label_classification") return {"activation", "sigmoid", "config.json: problem_type " + problem};
  if (classifier.labels.size() == 1) return {"activation", "sigmoid", "the default for one label"};
  return {"activation", "softmax", "the default for several labels"};
}

void add_classifier(const HfFolder::ReadFile& read, const JsonFile& config, bool per_token, HfFolder& folder) {
  ClassifierConfig classifier{
      .per_token = per_token, .labels = labels_of(config), .activation = "softmax", .layers = {}};
  const Decision activation = per_token ? Decision{"activation", "softmax", "token classification"}
                                        : score_activation(read, folder, config, classifier);
  classifier.activation = activation.value;
  folder.decisions.push_back({"classifier",
                              std::to_string(classifier.labels.size()) + (per_token ? " labels a token" : " labels"),
                              "config.json: architectures, id2label"});
  folder.decisions.push_back(activation);
  folder.pipeline.classifier = std::move(classifier);
}

}  // namespace

void settle_activation(const HfFolder::ReadFile& read, const JsonFile& config, HfFolder& folder) {
  const Decision activation = score_activation(read, folder, config, *folder.pipeline.classifier);
  folder.pipeline.classifier->activation = activation.value;
  folder.decisions.push_back(activation);
}

void read_heads(const HfFolder::ReadFile& read, const JsonFile& config, bool has_modules, HfFolder& folder) {
  const std::string name = folder.architectures.empty() ? "" : folder.architectures[0];
  const bool sequence = name.ends_with("ForSequenceClassification"), token = name.ends_with("ForTokenClassification");
  if (sequence || token) {
    if (!has_modules) {
      folder.pipeline.modules.clear();
      std::erase_if(folder.decisions, [](const Decision& d) { return d.what == "pooling" || d.what == "normalize"; });
    }
    add_classifier(read, config, token, folder);
  } else if (folder.pipeline.classifier) {  // a module's
    settle_activation(read, config, folder);
  }
  const auto exists = [&](const char* file) { return read(file, max_config_bytes).has_value(); };
  if (!folder.pipeline.sparse && exists("sparse_linear.pt")) {
    folder.pipeline.sparse = SparseConfig{.hf_folder = "sparse_linear.pt"};
    folder.decisions.push_back({"sparse", "a weight for each token", "sparse_linear.pt"});
  }
  if (exists("colbert_linear.pt")) {
    folder.pipeline.multi_vector = MultiVectorConfig{.hf_folder = "colbert_linear.pt"};
    folder.decisions.push_back({"multi_vector", "a vector for each token", "colbert_linear.pt"});
  }
}

}  // namespace quern
