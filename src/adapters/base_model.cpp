#include "adapters/base_model.h"

#include "error.h"
#include "io/json.h"
#include "loaded_model.h"
#include "os/files.h"

namespace quern {
namespace {

// By what is known of both: the repository's name, or what a folder or file is called.
bool is_same_base(const std::string& base, const LoadedModel& model) {
  if (base.empty() || base == model.path || base == model.repo) return true;
  return last_part(base) == last_part(model.repo.empty() ? model.path : model.repo);
}

// Names with and without each of the prefixes that another one may have.
bool has_name(const std::set<std::string>& names, const std::string& name, std::span<const std::string> prefixes) {
  for (const std::string& own : prefixes)
    for (const std::string& other : prefixes)
      if (name.starts_with(own) && names.count(other + name.substr(own.size()))) return true;
  return false;
}

// The modules of a source's tensors; a model file's have other names, but those of heads that its class may have are
// known. BERT's kin have a pooler, of which no vector is made.
std::set<std::string> known_modules(const LoadedModel& model) {
  std::set<std::string> modules = {"pooler.dense"};
  if (!model.source->weights().as_trained()) modules.merge(head_modules(model));
  for (const SourceContents::Tensor& t : model.source->weights().contents().tensors)
    modules.insert(t.name.substr(0, t.name.rfind('.')));
  return modules;
}

}  // namespace

std::set<std::string> head_modules(const LoadedModel& model) {
  std::set<std::string> modules;
  for (const Task task : {Task::sequence_classification, Task::token_classification, Task::masked_lm}) try {
      const HeadLayers::Names head = model.model->head(task).hf;
      for (const std::string& name : {head.dense, head.norm, head.out})
        if (!name.empty()) modules.insert(name.substr(0, name.find('|')));
    } catch (const Error&) {  // an architecture without such a head
    }
  return modules;
}

bool is_among(const std::string& module, const std::set<std::string>& modules, const LoadedModel& model) {
  return has_name(modules, module, model.architecture->prefixes);
}

std::string last_part(std::string path) {
  while (!path.empty() && os::ends_folder(path.back())) path.pop_back();
  return os::base_name(path);
}

std::vector<std::string> notes_of(const PeftFolder& folder, const std::set<std::string>& used,
                                  const LoadedModel& model) {
  const std::set<std::string> known = known_modules(model);
  std::vector<std::string> notes;
  std::string unused;
  for (const auto& [name, module] : folder.modules()) {
    if (used.count(name)) continue;
    if (!is_among(name, known, model))
      throw Error(Status::bad_file, *module.any().file + ": tensor '" + printable(module.any().name) +
                                        "': the base model " + model.path + " has no layer " + printable(name) +
                                        "; the adapter is of another model, or of a class with a head that the base "
                                        "lacks");
    unused += (unused.empty() ? "" : ", ") + printable(name);
  }
  const PeftConfig& config = folder.config();
  if (!is_same_base(config.base, model))
    notes.push_back(config.path + ": 'base_model_name_or_path' is " + printable(config.base) + ", and the model is " +
                    (model.repo.empty() ? model.path : model.repo) + "; their shapes fit");
  if (!unused.empty()) notes.push_back(folder.dir() + ": changes layers that quern does not run: " + unused);
  return notes;
}

}  // namespace quern
