#include "adapters/peft_folder.h"

#include <algorithm>
#include <cmath>

#include "error.h"
#include "io/json.h"
#include "io/mapped_file.h"

namespace quern {
namespace {

constexpr const char* kFile = "adapter_model.safetensors";

// Parts of a tensor's name that say what it is of its module. What follows, an adapter's name or "weight", says
// nothing.
struct Suffix {
  const char* name;
  std::optional<WeightTensor> PeftModule::*tensor;
};
constexpr Suffix kSuffixes[] = {{"lora_A", &PeftModule::a},
                                {"lora_B", &PeftModule::b},
                                {"lora_embedding_A", &PeftModule::embedding_a},
                                {"lora_embedding_B", &PeftModule::embedding_b},
                                {"lora_magnitude_vector", &PeftModule::magnitude}};

std::vector<std::string> split_at_dots(const std::string& name) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    parts.push_back(name.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string joined(const std::vector<std::string>& parts, size_t n) {
  std::string name;
  for (size_t i = 0; i < n; ++i) name += (i ? "." : "") + parts[i];
  return name;
}

}  // namespace

const WeightTensor& PeftModule::any() const {
  for (const auto* t : {&a, &b, &embedding_a, &embedding_b, &weight, &bias, &magnitude})
    if (*t) return **t;
  return *b_bias;
}

PeftFolder PeftFolder::open(const std::string& dir) {
  if (!is_folder(dir))
    throw Error(is_regular_file(dir) ? Status::bad_argument : Status::not_found,
                dir + ": no such folder; an adapter is a peft folder with adapter_config.json and " + kFile);
  PeftConfig config = PeftConfig::read(dir);
  const std::string file = dir + '/' + kFile;
  if (!is_regular_file(file) && is_regular_file(dir + "/adapter_model.bin")) refuse_pickle(dir + "/adapter_model.bin");
  PeftFolder folder(dir, std::move(config), Safetensors::open_file(file));
  for (const StTensor& tensor : folder.tensors_.tensors()) folder.take(tensor);
  if (folder.modules_.empty()) throw Error(Status::bad_file, file + ": the adapter has no tensors");
  return folder;
}

// "base_model.model." + module + one of ".lora_A.weight", ".lora_A.default.weight", ".lora_embedding_A",
// ".base_layer.bias", ".modules_to_save.default.weight", ".weight".
void PeftFolder::take(const StTensor& tensor) {
  std::vector<std::string> parts = split_at_dots(tensor.name);
  for (const char* wrapper : {"base_model", "model"})  // the second stands behind the first alone
    if (parts.size() > 2 && parts[0] == wrapper && (parts[0] == "base_model" || tensor.name.starts_with("base_model.")))
      parts.erase(parts.begin());
  const auto bad = [&](const std::string& problem) -> Error {
    return {Status::unsupported, *tensor.file + ": tensor '" + printable(tensor.name) + "' " + problem};
  };
  const WeightTensor view{tensor.name, tensor.dtype, tensor.shape, tensor.data, tensor.file};
  float_dtype(view);
  const auto put = [&](size_t n, std::optional<WeightTensor> PeftModule::*to) {
    std::optional<WeightTensor>& place = modules_[joined(parts, n)].*to;
    if (place) throw bad("is there twice: as '" + printable(place->name) + "' too");
    place = view;
  };
  for (size_t i = 1; i < parts.size(); ++i)
    for (const Suffix& suffix : kSuffixes)
      if (parts[i] == suffix.name) {
        const bool bias = parts.back() == "bias" && i + 1 < parts.size();
        const size_t behind = parts.size() - i - 1;  // an adapter's name, "weight", both or none
        if (behind > 2 || (behind == 2 && !bias && parts.back() != "weight") ||
            (bias && suffix.tensor != &PeftModule::b))
          throw bad("is none of LoRA's");
        return put(i, bias ? &PeftModule::b_bias : suffix.tensor);
      }
  if (std::find(parts.begin(), parts.end(), "original_module") != parts.end()) return;  // what training started from
  const std::string last = parts.back();
  size_t n = parts.size() - 1;
  if (last != "weight" && last != "bias") throw bad("is of a kind that quern does not know; expected LoRA's");
  if (n > 2 && parts[n - 2] == "modules_to_save")
    n -= 2;  // and the adapter's name
  else if (n > 1 && (parts[n - 1] == "modules_to_save" || parts[n - 1] == "base_layer"))
    n -= 1;
  if (n == 0) throw bad("names no layer");
  put(n, last == "weight" ? &PeftModule::weight : &PeftModule::bias);
}

std::vector<float> finite_values(const WeightTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  read_floats(tensor, 0, tensor.elements(), values.data());
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
    throw Error(Status::bad_file, *tensor.file + ": tensor '" + printable(tensor.name) +
                                      "' has a value that is no finite number; the adapter is damaged, or its "
                                      "training went wrong");
  return values;
}

void refuse_shape(const WeightTensor& tensor, const std::string& expected, const std::string& layer) {
  throw Error(Status::bad_file, *tensor.file + ": tensor '" + printable(tensor.name) + "': expected shape " + expected +
                                    " of the base model's " + layer + ", found " +
                                    shape_text(tensor.shape.data(), tensor.shape.size()) +
                                    "; the adapter is of another model");
}

}  // namespace quern
