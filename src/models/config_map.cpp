#include "models/config_map.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "error.h"
#include "gguf/reader.h"
#include "gguf/writer.h"
#include "io/json.h"

namespace quern {
namespace {

struct Named {
  const char* name;
  Activation activation;
};
constexpr Named kActivations[] = {
    {"none", Activation::none},
    {"sigmoid", Activation::sigmoid},
    {"gelu", Activation::gelu},
    {"gelu_python", Activation::gelu},
    {"gelu_new", Activation::gelu_tanh},
    {"gelu_fast", Activation::gelu_tanh},
    {"gelu_accurate", Activation::gelu_tanh},
    {"gelu_pytorch_tanh", Activation::gelu_tanh},
    {"relu", Activation::relu},
    {"silu", Activation::silu},
    {"swish", Activation::silu},
    {"tanh", Activation::tanh},
};

std::string range(double low, double high) {
  char text[80];
  std::snprintf(text, sizeof text, "from %g to %g", low, high);
  return text;
}

template <class T>
void check(T value, double low, double high, const std::string& where) {
  if (!(static_cast<double>(value) >= low && static_cast<double>(value) <= high))
    throw Error(Status::bad_file,
                where + ": expected a value " + range(low, high) + ", found " + std::to_string(value));
}

}  // namespace

Activation activation_named(const std::string& name, const std::string& where) {
  std::string known;
  for (const Named& a : kActivations) {
    if (name == a.name) return a.activation;
    known += (known.empty() ? "" : ", ") + std::string(a.name);
  }
  throw Error(Status::unsupported,
              where + ": activation \"" + printable(name) + "\" is not supported (supported: " + known + ")");
}

const char* activation_name(Activation activation) {
  for (const Named& a : kActivations)
    if (a.activation == activation) return a.name;
  return "none";
}

void GgufConfig::integer(const char* gguf, const char*, int64_t& value, int64_t low, int64_t high,
                         std::optional<int64_t> fallback) {
  const std::string key = prefix_ + gguf;
  value = fallback ? file_.get_int_or(key, *fallback) : file_.get_int(key);
  check(value, static_cast<double>(low), static_cast<double>(high), file_.name() + ": key " + key);
}

void GgufConfig::real(const char* gguf, const char*, float& value, double low, double high,
                      std::optional<double> fallback) {
  const std::string key = prefix_ + gguf;
  const double v = fallback ? file_.get_float_or(key, *fallback) : file_.get_float(key);
  check(v, low, high, file_.name() + ": key " + key);
  value = static_cast<float>(v);
}

void GgufConfig::activation(const char* gguf, const char*, Activation& value, Activation fallback) {
  const std::string key = prefix_ + gguf;
  value =
      file_.has(key) ? activation_named(std::string(file_.get_string(key)), file_.name() + ": key " + key) : fallback;
}

void GgufConfig::every(const char* gguf, const char*, const char*, const char*, int64_t& value) {
  integer(gguf, nullptr, value, 1, 1 << 10, {});
}

void GgufConfig::last_of_every(const char* gguf, const char*, const char*, const char*, int64_t& value,
                               int64_t fallback) {
  integer(gguf, nullptr, value, 1, 1 << 10, fallback);
}

void GgufConfig::flag(const char* gguf, bool& value) {
  value = file_.get_bool_or(prefix_ + gguf, value);
}

void GgufConfig::gguf_expect(const char* gguf, std::initializer_list<const char*> values) {
  const std::string key = prefix_ + gguf;
  if (!file_.has(key)) return;
  const std::string_view found = file_.get_string(key);
  std::string known;
  for (const char* value : values) {
    if (found == value) return;
    known += (known.empty() ? "" : ", ") + std::string(value);
  }
  throw Error(Status::unsupported,
              file_.name() + ": key " + key + ": quern runs " + known + ", found \"" + printable(found) + '"');
}

int64_t GgufConfig::gguf_rows(const char* tensor) const {
  const TensorInfo* found = file_.find(tensor);
  return found ? found->ne[1] : 0;
}

std::string GgufConfig::source() const {
  return file_.name();
}

struct JsonConfig::Json {
  nlohmann::json value;
  std::string name;  // of the file

  // The first spelling of "a|b.c" that is there and not null; nullptr when none is. where: for messages.
  const nlohmann::json* find(const char* key, std::string& where) const {
    if (!key) return nullptr;
    const std::string_view spellings = key;
    where = name + ": " + std::string(spellings.substr(0, spellings.find('|')));
    for (size_t begin = 0; begin <= spellings.size();) {
      const size_t end = std::min(spellings.find('|', begin), spellings.size());
      const std::string_view path = spellings.substr(begin, end - begin);
      if (const nlohmann::json* found = follow(path)) {
        where = name + ": " + std::string(path);
        return found;
      }
      begin = end + 1;
    }
    return nullptr;
  }

 private:
  const nlohmann::json* follow(std::string_view path) const {
    const nlohmann::json* at = &value;
    while (true) {
      const size_t dot = std::min(path.find('.'), path.size());
      if (!at->is_object()) return nullptr;
      const auto found = at->find(std::string(path.substr(0, dot)));
      if (found == at->end() || found->is_null()) return nullptr;
      at = &*found;
      if (dot == path.size()) return at;
      path.remove_prefix(dot + 1);
    }
  }
};

JsonConfig::JsonConfig(std::string_view config, std::string name, std::function<int64_t(const char*)> columns)
    : name_(std::move(name)), columns_(std::move(columns)) {
  nlohmann::json parsed = parse_json(config, name_);
  if (!parsed.is_object()) throw Error(Status::bad_file, name_ + ": expected a JSON object");
  json_ = std::make_unique<Json>(Json{std::move(parsed), name_});
}

JsonConfig::~JsonConfig() = default;

void JsonConfig::integer(const char*, const char* hf, int64_t& value, int64_t low, int64_t high,
                         std::optional<int64_t> fallback) {
  std::string where;
  const nlohmann::json* found = json_->find(hf, where);
  if (!found) {
    if (!fallback) throw Error(Status::bad_file, where + " is missing");
    value = *fallback;
  } else {
    if (!found->is_number_integer())
      throw Error(Status::bad_file, where + ": expected an integer, found " + found->type_name());
    if (found->is_number_unsigned() && found->get<uint64_t>() > static_cast<uint64_t>(high))
      throw Error(Status::bad_file, where + ": expected a value " +
                                        range(static_cast<double>(low), static_cast<double>(high)) + ", found " +
                                        std::to_string(found->get<uint64_t>()));
    value = found->get<int64_t>();
  }
  check(value, static_cast<double>(low), static_cast<double>(high), where);
}

void JsonConfig::real(const char*, const char* hf, float& value, double low, double high,
                      std::optional<double> fallback) {
  std::string where;
  const nlohmann::json* found = json_->find(hf, where);
  double v;
  if (!found) {
    if (!fallback) throw Error(Status::bad_file, where + " is missing");
    v = *fallback;
  } else {
    if (!found->is_number()) throw Error(Status::bad_file, where + ": expected a number, found " + found->type_name());
    v = found->get<double>();
  }
  check(v, low, high, where);
  value = static_cast<float>(v);
}

void JsonConfig::activation(const char*, const char* hf, Activation& value, Activation fallback) {
  std::string where;
  const nlohmann::json* found = json_->find(hf, where);
  if (!found) {
    value = fallback;
    return;
  }
  if (!found->is_string()) throw Error(Status::bad_file, where + ": expected a string, found " + found->type_name());
  value = activation_named(found->get<std::string>(), where);
}

void JsonConfig::every(const char*, const char* hf, const char* hf_list, const char* kind, int64_t& value) {
  std::string where, number;
  const nlohmann::json* list = json_->find(hf_list, where);
  if (!list || json_->find(hf, number)) return integer(nullptr, hf, value, 1, 1 << 10, {});
  if (!list->is_array() || list->empty() || list->size() > 1 << 10)
    throw Error(Status::bad_file, where + ": expected a list of the layers' kinds");
  value = static_cast<int64_t>(list->size());
  for (size_t i = list->size(); i-- > 1;)
    if ((*list)[i] == kind) value = static_cast<int64_t>(i);
  for (size_t i = 0; i < list->size(); ++i)
    if (((*list)[i] == kind) != (static_cast<int64_t>(i) % value == 0))
      throw Error(Status::unsupported, where + ": expected every " + std::to_string(value) + " layers to be \"" + kind +
                                           "\", which layer " + std::to_string(i) + " contradicts");
}

void JsonConfig::last_of_every(const char*, const char* hf, const char* hf_list, const char* kind, int64_t& value,
                               int64_t fallback) {
  std::string where;
  const nlohmann::json* list = json_->find(hf_list, where);
  if (!list) return integer(nullptr, hf, value, 1, 1 << 10, fallback);
  if (!list->is_array() || list->empty() || list->size() > 1 << 10)
    throw Error(Status::bad_file, where + ": expected a list of the layers' kinds");
  value = static_cast<int64_t>(list->size()) + 1;  // none of them
  for (size_t i = list->size(); i-- > 0;)
    if ((*list)[i] == kind) value = static_cast<int64_t>(i) + 1;
  for (size_t i = 0; i < list->size(); ++i)
    if (((*list)[i] == kind) != (static_cast<int64_t>(i + 1) % value == 0))
      throw Error(Status::unsupported, where + ": expected the last of every " + std::to_string(value) +
                                           " layers to be \"" + kind + "\", which layer " + std::to_string(i) +
                                           " contradicts");
}

std::vector<double> JsonConfig::hf_reals(const char* hf, size_t most, double low, double high) {
  std::string where;
  const nlohmann::json* found = json_->find(hf, where);
  if (!found) return {};
  if (!found->is_array() || found->size() > most)
    throw Error(Status::bad_file, where + ": expected a list of at most " + std::to_string(most) + " numbers");
  std::vector<double> values;
  for (const nlohmann::json& v : *found) {
    if (!v.is_number()) throw Error(Status::bad_file, where + ": expected numbers, found " + v.type_name());
    values.push_back(v.get<double>());
    check(values.back(), low, high, where);
  }
  return values;
}

bool JsonConfig::hf_real(const char* hf, double& value, double low, double high) {
  std::string where;
  const nlohmann::json* found = json_->find(hf, where);
  if (!found) return false;
  if (!found->is_number()) throw Error(Status::bad_file, where + ": expected a number, found " + found->type_name());
  value = found->get<double>();
  check(value, low, high, where);
  return true;
}

bool JsonConfig::hf_is(const char* hf, const char* json) {
  std::string where;
  const nlohmann::json* found = json_->find(hf, where);
  return found && *found == nlohmann::json::parse(json);
}

void JsonConfig::hf_expect(const char* hf, const char* json) {
  std::string where;
  const nlohmann::json* found = json_->find(hf, where);
  if (found && *found != nlohmann::json::parse(json))
    throw Error(Status::unsupported,
                where + ": quern runs this architecture with " + json + " only, found " +
                    printable(found->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
}

void GgufConfigWriter::integer(const char* gguf, const char*, int64_t& value, int64_t, int64_t,
                               std::optional<int64_t>) {
  file_.set_u32(prefix_ + gguf, static_cast<uint32_t>(value));
}

void GgufConfigWriter::real(const char* gguf, const char*, float& value, double, double, std::optional<double>) {
  file_.set_f32(prefix_ + gguf, value);
}

void GgufConfigWriter::activation(const char* gguf, const char*, Activation& value, Activation fallback) {
  if (value != fallback) file_.set_string(prefix_ + gguf, activation_name(value));
}

void GgufConfigWriter::every(const char* gguf, const char*, const char*, const char*, int64_t& value) {
  file_.set_u32(prefix_ + gguf, static_cast<uint32_t>(value));
}

void GgufConfigWriter::last_of_every(const char* gguf, const char*, const char*, const char*, int64_t& value, int64_t) {
  file_.set_u32(prefix_ + gguf, static_cast<uint32_t>(value));
}

void GgufConfigWriter::constant(const char* gguf, bool value) {
  file_.set_bool(prefix_ + gguf, value);
}

}  // namespace quern
