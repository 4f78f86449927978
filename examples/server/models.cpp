#include "models.h"

#include <sys/stat.h>

#include <algorithm>

namespace server {
namespace {

constexpr Task all_tasks[] = {Task::embed,    Task::sparse,         Task::multi_vector, Task::rerank,
                              Task::classify, Task::token_classify, Task::generate};

std::string taken(char* text) {
  return std::string(StringHandle(text).get());
}

Json description_of(const quern_model* model) {
  char* text = nullptr;
  check(quern_model_describe(model, &text));
  const StringHandle owner(text);
  return Json::parse(text);
}

// Whether the model's source says how its vectors are made; any model would give some.
bool declares_pooling(const Json& description) {
  for (const Json& d : description.value("decisions", Json::array()))
    if (d.value("what", "") == "pooling") return !d.value("source", "").starts_with("assumed");
  return true;
}

}  // namespace

const char* name_of(Task task) {
  constexpr const char* names[] = {"embed",    "sparse",         "multi_vector", "rerank",
                                   "classify", "token_classify", "generate"};
  return names[static_cast<size_t>(task)];
}

ModelSource parse_source(const std::string& text) {
  const size_t equals = text.find('='), slash = text.find('/');
  if (equals != std::string::npos && equals > 0 && equals < slash)
    return {text.substr(0, equals), text.substr(equals + 1)};
  std::string path = text;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  std::string id = path.substr(path.rfind('/') + 1);
  const size_t dot = id.rfind('.');
  if (dot != std::string::npos && dot > 0 && id.find_first_of("0123456789", dot) != dot + 1) id.resize(dot);
  return {id, path};
}

ServedModel::ServedModel(const ModelSource& source, const ModelLimits& limits, Metrics& metrics)
    : id(source.id), path(source.path) {
  quern_model* model = nullptr;
  check(quern_model_load(path.c_str(), &model));
  handle_.reset(model);
  outputs_ = quern_model_outputs(model);
  description = description_of(model);
  if (outputs_ & QUERN_TEXT) outputs_ &= declares_pooling(description) ? ~unsigned{QUERN_TEXT} : unsigned{QUERN_TEXT};
  description.erase("file");
  description.erase("decisions");
  max_length = quern_model_max_length(model);
  for (int64_t i = 0; i < quern_model_labels(model); ++i) labels.push_back(quern_model_label(model, i));
  has_chat = quern_model_has_chat(model) != 0;
  struct stat file {};
  if (stat(description.value("path", path).c_str(), &file) == 0) created = file.st_mtime;
  if (outputs_ & (QUERN_DENSE | QUERN_SPARSE | QUERN_MULTI_VECTOR)) {
    char* hash = nullptr;
    check(quern_model_fingerprint(model, &hash));
    fingerprint = taken(hash);
  }
  if (outputs_ & ~unsigned{QUERN_TEXT}) texts = std::make_unique<TextService>(model, limits.texts, metrics, id);
  if (outputs_ & QUERN_TEXT) generation = std::make_unique<GenerationService>(model, limits.generation, metrics, id);
  if (outputs_ & QUERN_DENSE) {
    quern_session* session = nullptr;
    check(quern_session_new(model, 1, &session));
    const SessionHandle owner(session);
    check(quern_embed_width(session, nullptr, &width));
  }
}

bool ServedModel::can(Task task) const {
  switch (task) {
    case Task::embed:
      return outputs_ & QUERN_DENSE;
    case Task::sparse:
      return outputs_ & QUERN_SPARSE;
    case Task::multi_vector:
      return outputs_ & QUERN_MULTI_VECTOR;
    case Task::rerank:
      return (outputs_ & QUERN_LABELS) && labels.size() == 1;
    case Task::classify:
      return outputs_ & QUERN_LABELS;
    case Task::token_classify:
      return outputs_ & QUERN_TOKEN_LABELS;
    case Task::generate:
      return outputs_ & QUERN_TEXT;
  }
  return false;
}

std::vector<std::string> ServedModel::tasks() const {
  std::vector<std::string> names;
  for (const Task task : all_tasks)
    if (can(task)) names.push_back(name_of(task));
  return names;
}

Models::Models(const std::vector<ModelSource>& sources, const ModelLimits& limits, Metrics& metrics) {
  for (const ModelSource& source : sources) {
    if (named(source.id))
      throw QuernError{QUERN_BAD_ARGUMENT,
                       "two models are called \"" + source.id + "\": name one with -m NAME=" + source.path};
    all_.push_back(std::make_shared<ServedModel>(source, limits, metrics));
  }
}

bool Models::can_classify() const {
  return std::any_of(all_.begin(), all_.end(),
                     [](const auto& m) { return m->can(Task::classify) && !m->can(Task::rerank); });
}

std::shared_ptr<ServedModel> Models::named(const std::string& name) const {
  for (const auto& model : all_)
    if (model->id == name) return model;
  return nullptr;
}

std::shared_ptr<ServedModel> Models::pick(const std::string& name, Task task) const {
  if (const auto model = named(name)) {
    if (model->can(task)) return model;
    std::string does;
    for (const std::string& t : model->tasks()) does += (does.empty() ? "" : ", ") + t;
    throw Refusal{Reason::wrong_task, "model \"" + name + "\" is not one for " + name_of(task) + "; it is for " + does,
                  "model"};
  }
  std::shared_ptr<ServedModel> found;
  std::string names;
  int n = 0;
  const bool real = can_classify();
  for (const auto& model : all_) {
    if (!model->can(task) || (task == Task::classify && real && model->can(Task::rerank))) continue;
    found = model;
    names += (n++ ? ", " : "") + model->id;
  }
  if (n == 0)
    throw Refusal{Reason::wrong_task,
                  task == Task::rerank ? "model is not a re-ranker model"
                                       : std::string("no model for ") + name_of(task) + " is served here",
                  "model"};
  if (n > 1) throw Refusal{Reason::unknown_model, "several models do this: set `model` to one of " + names, "model"};
  return found;
}

}  // namespace server
