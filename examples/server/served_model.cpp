#include "served_model.h"

#include <algorithm>
#include <filesystem>
#include <random>

#include "os/files.h"

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

// Unix seconds; 0: no such file.
int64_t age_of(const std::string& path) {
  os::FileInfo file;
  return os::info_of(path, file) ? file.changed / 1'000'000'000 : 0;
}

}  // namespace

const char* name_of(Task task) {
  constexpr const char* names[] = {"embed",    "sparse",         "multi_vector", "rerank",
                                   "classify", "token_classify", "generate"};
  return names[static_cast<size_t>(task)];
}

ModelSource parse_source(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals != std::string::npos && equals > 0 && os::last_part(text.substr(0, equals)) == 0)
    return {text.substr(0, equals), text.substr(equals + 1)};
  std::string path = text;
  while (path.size() > 1 && os::ends_folder(path.back())) path.pop_back();
  std::string id = os::base_name(path);
  const size_t dot = id.rfind('.');
  if (dot != std::string::npos && dot > 0 && id.find_first_of("0123456789", dot) != dot + 1) id.resize(dot);
  return {id, path};
}

ModelFacts::ModelFacts(const ModelSource& source) : id(source.id), path(source.path) {
  std::error_code error;
  const std::filesystem::path file = os::path_of(path);
  if (std::filesystem::is_directory(file, error)) {
    for (const auto& entry : std::filesystem::directory_iterator(file, error))
      if (entry.path().extension() == ".safetensors") bytes += entry.file_size(error);
  } else {
    const uint64_t size = std::filesystem::file_size(file, error);
    bytes = error ? 0 : size;
  }
  created = age_of(path);
}

ServedModel::ServedModel(const ModelSource& source, const ModelLimits& limits, Metrics& metrics, bool one_of_many)
    : ModelFacts(source) {
  quern_model* model = nullptr;
  check(quern_model_load(path.c_str(), &model));
  handle_.reset(model, quern_model_free);
  outputs = quern_model_outputs(model);
  description = description_of(model);
  if (outputs & QUERN_TEXT) outputs &= declares_pooling(description) ? ~unsigned{QUERN_TEXT} : unsigned{QUERN_TEXT};
  bytes = description.value("file", Json::object()).value("bytes", uint64_t{0});
  description.erase("file");
  description.erase("decisions");
  max_length = quern_model_max_length(model);
  for (int64_t i = 0; i < quern_model_labels(model); ++i) labels.push_back(quern_model_label(model, i));
  has_chat = quern_model_has_chat(model) != 0;
  created = age_of(description.value("path", path));
  if (outputs & (QUERN_DENSE | QUERN_SPARSE | QUERN_MULTI_VECTOR)) {
    char* hash = nullptr;
    check(quern_model_fingerprint(model, &hash));
    fingerprint = taken(hash);
  }
  if (outputs & ~unsigned{QUERN_TEXT}) texts = std::make_unique<TextService>(model, limits.texts, metrics, id);
  if (outputs & QUERN_TEXT) {
    GenerationService::Limits own = limits.generation;
    // Meant for all of them: one whose own limit is lower keeps that.
    const int64_t positions = description.value("positions", int64_t{0});
    if (one_of_many && positions > 0) own.generator.context = std::min(own.generator.context, positions);
    generation = std::make_unique<GenerationService>(model, own, metrics, id);
    context = generation->context();
    kv_bytes = generation->stats().kv_bytes;
  }
  if (outputs & QUERN_DENSE) {
    quern_session* session = nullptr;
    check(quern_session_new(model, 1, &session));
    const SessionHandle owner(session);
    check(quern_embed_width(session, nullptr, &width));
  }
  known = true;
  for (const AdapterSource& adapter : source.adapters) {
    const auto made = read_adapter(adapter);
    notes.insert(notes.end(), made->notes.begin(), made->notes.end());
    bytes += static_cast<uint64_t>(set_adapter(adapter.name, made));
  }
}

ServedModel::ServedModel(const ServedModel& base, const AdapterSource& adapter)
    : ModelFacts(base), texts(base.texts), generation(base.generation), handle_(base.handle_) {
  id += ':' + adapter.name;
  quern_adapter* made = nullptr;
  check(quern_adapter_load(get(), adapter.folder.c_str(), &made));
  adapter_.reset(made, quern_adapter_free);
  for (size_t i = 0; quern_adapter_note(made, i); ++i) notes.push_back(id + ": " + quern_adapter_note(made, i));
  if (fingerprint.empty()) return;
  char* hash = nullptr;
  check(quern_adapter_fingerprint(made, &hash));
  fingerprint = taken(hash);
}

std::shared_ptr<ServedModel> ServedModel::read_adapter(const AdapterSource& adapter) const {
  return std::shared_ptr<ServedModel>(new ServedModel(*this, adapter));
}

int64_t ServedModel::set_adapter(const std::string& name, std::shared_ptr<ServedModel> made) {
  const auto bytes_of = [](const std::shared_ptr<ServedModel>& model) {
    return model ? static_cast<int64_t>(quern_adapter_bytes(model->adapter())) : 0;
  };
  std::lock_guard lock(mutex_);
  std::shared_ptr<ServedModel>& place = with_adapters_[name];
  const int64_t more = bytes_of(made) - bytes_of(place);
  place = std::move(made);
  return more;
}

std::shared_ptr<ServedModel> ServedModel::with_adapter(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = with_adapters_.find(name);
  return found == with_adapters_.end() ? nullptr : found->second;
}

bool ModelFacts::can(Task task) const {
  switch (task) {
    case Task::embed:
      return outputs & QUERN_DENSE;
    case Task::sparse:
      return outputs & QUERN_SPARSE;
    case Task::multi_vector:
      return outputs & QUERN_MULTI_VECTOR;
    case Task::rerank:
      return outputs & QUERN_LABELS ? labels.size() == 1 : (outputs & QUERN_MULTI_VECTOR) != 0;
    case Task::classify:
      return outputs & QUERN_LABELS;
    case Task::token_classify:
      return outputs & QUERN_TOKEN_LABELS;
    case Task::generate:
      return outputs & QUERN_TEXT;
  }
  return false;
}

std::string ServedModel::lack_of_threads(int asked) const {
  const int wanted = asked > 0 ? asked : quern_usable_cpus();
  if (!texts || texts->threads() >= wanted) return {};
  return id + " runs with " + std::to_string(texts->threads()) + " of " + std::to_string(wanted) +
         " threads: the system starts no more (ulimit -u, the limit of processes of its control group)";
}

std::shared_ptr<GenerationJob> ServedModel::new_job() const {
  auto job = std::make_shared<GenerationJob>();
  job->options = quern_model_generation_options(get());
  job->options.adapter = adapter();
  std::random_device device;
  job->options.seed = (uint64_t{device()} << 20 ^ device()) & INT32_MAX;  // short enough to be given again
  return job;
}

std::vector<std::string> ModelFacts::tasks() const {
  std::vector<std::string> names;
  for (const Task task : all_tasks)
    if (can(task)) names.push_back(name_of(task));
  return names;
}

}  // namespace server
