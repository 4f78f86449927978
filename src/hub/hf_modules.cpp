// The modules of sentence-transformers, in the spelling of its first versions and of today's.
#include "hub/hf_modules.h"

#include <algorithm>
#include <utility>

#include "heads/vector_modules.h"
#include "hub/hf_json.h"
#include "hub/hf_late.h"
#include "hub/hf_pairs.h"
#include "io/safe_path.h"

namespace quern {
namespace {

using nlohmann::json;

// "sentence_transformers.models.Pooling" -> "Pooling". Any other package would be code of the model's author.
std::string module_type(const std::string& type, const std::string& file) {
  constexpr std::string_view package = "sentence_transformers.";
  if (type == "pylate.models.Dense.Dense") return "Dense";
  if (!type.starts_with(package)) {
    throw Error(Status::unsupported, file + ": the module type '" + printable(type) +
                                         "' is code that comes with the model (remote code), which quern does not run");
  }
  return type.substr(type.rfind('.') + 1);
}

JsonFile require_config(const HfFolder::ReadFile& read, const HfFolder& folder, const std::string& path) {
  const std::string config = join_path(path, "config.json");
  std::optional<JsonFile> file = read_json(folder.dir, read, config);
  if (!file) throw Error(Status::not_found, folder.dir + ": " + config + " is missing, modules.json needs it");
  return std::move(*file);
}

// SPLADE's pooling makes sparse weights, not a vector: a head of its own.
void read_splade(const JsonFile& file, const std::string& source, HfFolder& folder) {
  SparseConfig sparse{.over_vocabulary = true};
  const std::string pooling = file.string("pooling_strategy").value_or("max");
  const std::string activation = file.string("activation_function").value_or("relu");
  if (pooling != "max" && pooling != "sum") file.wrong("pooling_strategy", "max or sum: '" + printable(pooling) + "'");
  if (activation != "relu" && activation != "log1p_relu")
    file.wrong("activation_function", "relu or log1p_relu: '" + printable(activation) + "'");
  sparse.sum = pooling == "sum";
  sparse.twice = activation == "log1p_relu";
  folder.pipeline.sparse = sparse;
  folder.decisions.push_back({"sparse", "SPLADE, " + pooling + ", " + activation, source});
}

// A module that is a row of vector_modules().
void add_vector_module(const HfFolder::ReadFile& read, const VectorModule& row, const std::string& path,
                       HfFolder& folder) {
  std::optional<JsonFile> file;
  if (row.needs_config)
    file = require_config(read, folder, path);
  else
    file = read_json(folder.dir, read, join_path(path, "config.json"));
  Pipeline::Module module;
  module.type = row.name;
  if (row.declare) module.folder = path;
  const std::string value = row.read(file ? &*file : nullptr, module);
  if (file && file->string("module_input_name").value_or("") == "token_embeddings")
    throw Error(Status::unsupported, file->name() +
                                         ": this module works on token_embeddings, which is for models that "
                                         "config_sentence_transformers.json calls MultiVectorEncoder");
  folder.decisions.push_back({row.decision, value, row.needs_config ? join_path(path, "config.json") : "modules.json"});
  folder.pipeline.modules.push_back(std::move(module));
}

// One module after the transformer.
void add_module(const HfFolder::ReadFile& read, const std::string& type, const std::string& path,
                const std::string& list, HfFolder& folder) {
  if (folder.is_late && add_late_module(read, type, path, folder)) return;
  if (const VectorModule* row = find_vector_module(type)) return add_vector_module(read, *row, path, folder);
  if (type == "SpladePooling")
    return read_splade(require_config(read, folder, path), join_path(path, "config.json"), folder);
  if (type == "LogitScore")
    return read_logit_score(require_config(read, folder, path), join_path(path, "config.json"), folder);
  if (type == "Dropout") return;  // does nothing outside training
  std::string known = "Transformer, ";
  for (const VectorModule& row : vector_modules()) known += std::string(row.name) + ", ";
  throw Error(Status::unsupported, list + ": the module " + printable(type) + " is not supported, quern runs " + known +
                                       "MLMTransformer, SpladePooling and LogitScore" +
                                       (folder.is_late ? ", MultiVectorMask and HierarchicalTokenPooling" : ""));
}

}  // namespace

std::vector<ModuleEntry> module_entries(const JsonFile& list) {
  const auto wrong = [&](const std::string& problem) { throw Error(Status::bad_file, list.name() + ": " + problem); };
  if (!list.value().is_array() || list.value().empty()) wrong("no list of modules");
  if (list.value().size() > 32) wrong("more than 32 modules");
  std::vector<std::pair<size_t, ModuleEntry>> entries;
  for (const json& value : list.value()) {
    if (!value.is_object()) wrong("a module is no object");
    const JsonFile fields(list.name(), value);
    std::string path = fields.string("path").value_or("");
    if (path == ".") path.clear();
    if (!path.empty() && !is_safe_relative_path(path))
      wrong("the path '" + printable(path) + "' of a module does not stay inside the folder");
    entries.push_back({fields.count("idx", 0, 1000).value_or(entries.size()), {fields, path}});
  }
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<ModuleEntry> sorted;
  for (auto& [idx, entry] : entries) sorted.push_back(std::move(entry));
  return sorted;
}

bool read_modules(const HfFolder::ReadFile& read, HfFolder& folder) {
  const std::optional<JsonFile> list = read_json(folder.dir, read, "modules.json", true);
  folder.is_late = is_late_interaction(read, folder);
  if (!list && folder.is_late) return false;
  if (!list) {
    folder.pipeline.modules = {{"Pooling", "", {{"mean"}, true}, {}}};
    folder.decisions.push_back({"pooling", "mean", "assumed, as sentence-transformers does: there is no modules.json"});
    folder.decisions.push_back({"normalize", "false", "there is no modules.json"});
    return false;
  }
  const std::vector<ModuleEntry> entries = module_entries(*list);
  bool normalized = false;
  for (size_t i = 0; i < entries.size(); ++i) {
    const std::string& path = entries[i].path;
    const std::string type = module_type(entries[i].fields.string("type").value_or(""), list->name());
    const VectorModule* row = find_vector_module(type);
    normalized = normalized || (row && row->normalizes);
    if (i > 0) {
      add_module(read, type, path, list->name(), folder);
    } else if (type == "Transformer" || type == "MLMTransformer") {
      folder.transformer_folder = path;
    } else if (type == "StaticEmbedding") {
      folder.transformer_folder = path;
      folder.is_static = true;
      folder.pipeline.modules.push_back({"Pooling", "", {{"mean"}, true}, {}});
    } else {
      throw Error(Status::unsupported, list->name() + ": the first module is " + printable(type) +
                                           ", quern needs a Transformer or a StaticEmbedding");
    }
  }
  if (!normalized) folder.decisions.push_back({"normalize", "false", "modules.json"});
  check_pipeline(folder.pipeline, list->name());
  return true;
}

}  // namespace quern
