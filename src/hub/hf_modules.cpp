// The modules of sentence-transformers, in the spelling of its first versions and of today's.
#include "hub/hf_modules.h"

#include <algorithm>
#include <utility>

#include "hub/hf_json.h"
#include "hub/snapshot.h"

namespace quern {
namespace {

using nlohmann::json;

// "sentence_transformers.models.Pooling" -> "Pooling". Any other package would be code of the model's author.
std::string module_type(const std::string& type, const std::string& file) {
  constexpr std::string_view package = "sentence_transformers.";
  if (!type.starts_with(package)) {
    throw Error(Status::unsupported, file + ": the module type '" + printable(type) +
                                         "' is code that comes with the model (remote code), which quern does not run");
  }
  return type.substr(type.rfind('.') + 1);
}

PoolingConfig read_pooling(const JsonFile& file) {
  constexpr std::pair<const char*, const char*> flags[] = {
      {"pooling_mode_cls_token", "cls"},
      {"pooling_mode_max_tokens", "max"},
      {"pooling_mode_mean_tokens", "mean"},
      {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
      {"pooling_mode_weightedmean_tokens", "weightedmean"},
      {"pooling_mode_lasttoken", "lasttoken"},
  };
  PoolingConfig pooling;
  pooling.include_prompt = file.boolean("include_prompt").value_or(true);
  const json* mode = file.find("pooling_mode");
  if (mode == nullptr) {
    for (const auto& [flag, name] : flags) {
      if (file.boolean(flag).value_or(false)) pooling.modes.emplace_back(name);
    }
    if (pooling.modes.empty()) pooling.modes.emplace_back("mean");
    return pooling;
  }
  if (mode->is_string()) {
    pooling.modes.push_back(mode->get<std::string>());
    return pooling;
  }
  if (!mode->is_array()) file.wrong("pooling_mode", "a name or a list of names");
  for (const json& name : *mode) {
    if (!name.is_string()) file.wrong("pooling_mode", "a name or a list of names");
    pooling.modes.push_back(name.get<std::string>());
  }
  return pooling;
}

std::string activation_name(const JsonFile& file) {
  constexpr std::pair<std::string_view, const char*> names[] = {
      {"Identity", "identity"}, {"Tanh", "tanh"},       {"ReLU", "relu"},
      {"GELU", "gelu"},         {"Sigmoid", "sigmoid"}, {"SiLU", "silu"},
  };
  if (file.value().contains("activation_function") && file.find("activation_function") == nullptr) return "identity";
  const std::string path = file.string("activation_function").value_or("torch.nn.modules.activation.Tanh");
  const std::string last = path.substr(path.rfind('.') + 1);
  const auto* row = std::find_if(std::begin(names), std::end(names), [&](const auto& r) { return r.first == last; });
  if (!path.starts_with("torch.nn.") || row == std::end(names)) {
    throw Error(Status::unsupported, file.name() + ": the activation function '" + printable(path) +
                                         "' is not one of torch.nn's Identity, Tanh, ReLU, GELU, Sigmoid and SiLU");
  }
  return row->second;
}

// Dense and Normalize may also work on single tokens, for multi-vector models.
void check_input(const JsonFile& file) {
  for (const char* key : {"module_input_name", "module_output_name"}) {
    const std::string name = file.string(key).value_or("sentence_embedding");
    if (name == "sentence_embedding") continue;
    throw Error(Status::unsupported, file.name() + ": '" + key + "' is '" + printable(name) +
                                         "', quern runs this module on sentence_embedding only");
  }
}

DenseConfig read_dense(const JsonFile& file) {
  DenseConfig dense;
  const auto in = file.count("in_features", 1, max_features), out = file.count("out_features", 1, max_features);
  if (!in || !out) throw Error(Status::bad_file, file.name() + ": in_features and out_features are not both given");
  dense.in_features = static_cast<int64_t>(*in);
  dense.out_features = static_cast<int64_t>(*out);
  dense.bias = file.boolean("bias").value_or(true);
  dense.activation = activation_name(file);
  check_input(file);
  if (file.boolean("use_residual").value_or(false)) {
    throw Error(Status::unsupported, file.name() + ": use_residual is not supported");
  }
  return dense;
}

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : "+") + name;
  return text;
}

JsonFile require_config(const HfFolder::ReadFile& read, const HfFolder& folder, const std::string& path) {
  const std::string config = join_path(path, "config.json");
  std::optional<JsonFile> file = read_json(folder.dir, read, config);
  if (!file) throw Error(Status::not_found, folder.dir + ": " + config + " is missing, modules.json needs it");
  return std::move(*file);
}

// One module after the transformer.
void add_module(const HfFolder::ReadFile& read, const std::string& type, const std::string& path,
                const std::string& list, HfFolder& folder) {
  Pipeline::Module module;
  module.type = type;
  if (type == "Pooling") {
    const JsonFile file = require_config(read, folder, path);
    module.pooling = read_pooling(file);
    folder.decisions.push_back({"pooling", join(module.pooling.modes), join_path(path, "config.json")});
  } else if (type == "Dense") {
    const JsonFile file = require_config(read, folder, path);
    module.folder = path;
    module.dense = read_dense(file);
    const std::string value = std::to_string(module.dense.in_features) + " -> " +
                              std::to_string(module.dense.out_features) + ", " + module.dense.activation;
    folder.decisions.push_back({"dense", value, join_path(path, "config.json")});
  } else if (type == "LayerNorm") {
    const JsonFile file = require_config(read, folder, path);
    const auto width = file.count("dimension", 1, max_features);
    if (!width) throw Error(Status::bad_file, file.name() + ": 'dimension' is missing");
    module.folder = path;
    module.dense = {static_cast<int64_t>(*width), static_cast<int64_t>(*width), true, "identity"};
    folder.decisions.push_back({"layer_norm", std::to_string(*width), join_path(path, "config.json")});
  } else if (type == "SpladePooling") {
    const JsonFile file = require_config(read, folder, path);
    SparseConfig sparse{.over_vocabulary = true};
    const std::string pooling = file.string("pooling_strategy").value_or("max");
    const std::string activation = file.string("activation_function").value_or("relu");
    if (pooling != "max" && pooling != "sum")
      file.wrong("pooling_strategy", "max or sum: '" + printable(pooling) + "'");
    if (activation != "relu" && activation != "log1p_relu")
      file.wrong("activation_function", "relu or log1p_relu: '" + printable(activation) + "'");
    sparse.sum = pooling == "sum";
    sparse.twice = activation == "log1p_relu";
    folder.pipeline.sparse = sparse;
    folder.decisions.push_back({"sparse", "SPLADE, " + pooling + ", " + activation, join_path(path, "config.json")});
    return;
  } else if (type == "Normalize") {
    if (const auto file = read_json(folder.dir, read, join_path(path, "config.json"))) check_input(*file);
    folder.decisions.push_back({"normalize", "true", "modules.json"});
  } else if (type == "Dropout") {
    return;  // does nothing outside training
  } else {
    throw Error(Status::unsupported,
                list + ": the module " + printable(type) +
                    " is not supported, quern runs Transformer, Pooling, Dense, LayerNorm, Normalize, "
                    "MLMTransformer and SpladePooling");
  }
  folder.pipeline.modules.push_back(std::move(module));
}

}  // namespace

bool read_modules(const HfFolder::ReadFile& read, HfFolder& folder) {
  const std::optional<JsonFile> list = read_json(folder.dir, read, "modules.json", true);
  if (!list) {
    folder.pipeline.modules = {{"Pooling", "", {{"mean"}, true}, {}}};
    folder.decisions.push_back({"pooling", "mean", "assumed, as sentence-transformers does: there is no modules.json"});
    folder.decisions.push_back({"normalize", "false", "there is no modules.json"});
    return false;
  }
  const auto wrong = [&](const char* problem) { throw Error(Status::bad_file, list->name() + ": " + problem); };
  if (!list->value().is_array() || list->value().empty()) wrong("no list of modules");
  if (list->value().size() > 32) wrong("more than 32 modules");
  std::vector<std::pair<size_t, JsonFile>> entries;
  for (const json& value : list->value()) {
    if (!value.is_object()) wrong("a module is no object");
    const JsonFile entry(list->name(), value);
    entries.emplace_back(entry.count("idx", 0, 1000).value_or(entries.size()), entry);
  }
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  bool normalized = false;
  for (size_t i = 0; i < entries.size(); ++i) {
    const JsonFile& entry = entries[i].second;
    const std::string path = entry.string("path").value_or("");
    if (!path.empty() && !is_safe_relative_path(path)) {
      wrong(("the path '" + printable(path) + "' of a module does not stay inside the folder").c_str());
    }
    const std::string type = module_type(entry.string("type").value_or(""), list->name());
    normalized = normalized || type == "Normalize";
    if (i > 0) {
      add_module(read, type, path, list->name(), folder);
    } else if (type == "Transformer" || type == "MLMTransformer") {
      folder.transformer_folder = path;
    } else {
      throw Error(Status::unsupported,
                  list->name() + ": the first module is " + printable(type) + ", quern needs a Transformer");
    }
  }
  if (!normalized) folder.decisions.push_back({"normalize", "false", "modules.json"});
  check_pipeline(folder.pipeline, list->name());
  return true;
}

}  // namespace quern
