// What tests of adapters share: the random ones of tests/reference/make_adapters.py, their reference values, and
// folders made from them.
#pragma once
#include "adapters/merged_adapters.h"
#include "tiny_decoders.h"

namespace quern::test {

inline const std::vector<std::string>& adapter_names() {
  static const std::vector<std::string> names = {"bert",       "bert_all",    "bert_class", "bert_ffn",   "xlm-roberta",
                                                 "mpnet_dora", "modernbert",  "llama",      "llama_head", "qwen2",
                                                 "qwen2_tied", "gemma3_dora", "phi3"};
  return names;
}

inline std::string adapter_folder(const std::string& name) {
  return QUERN_TEST_DIR "/golden/adapters/" + name;
}

inline nlohmann::json adapter_golden(const std::string& name) {
  return nlohmann::json::parse(read_text_file(adapter_folder(name) + "/golden.json", 1 << 24));
}

// The folder of an adapter's base model; a copy with a classifier where the adapter has one.
struct AdapterBase {
  explicit AdapterBase(const std::string& name) : golden(adapter_golden(name)), copy(golden.at("base")) {
    if (golden.contains("sequence"))
      copy.edit_config([](nlohmann::json& c) { c["architectures"] = {"BertForSequenceClassification"}; });
  }
  std::string path() const { return copy.path(); }
  nlohmann::json golden;
  DecoderCopy copy;
};

// A copy of an adapter whose files can be edited.
struct AdapterCopy {
  explicit AdapterCopy(const std::string& name) {
    namespace fs = std::filesystem;
    fs::copy(adapter_folder(name), scratch.path(), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }
  void edit_config(const std::function<void(nlohmann::json&)>& edit) const {
    nlohmann::json config = nlohmann::json::parse(read_text_file(scratch.file("adapter_config.json"), 1 << 20));
    edit(config);
    scratch.write("adapter_config.json", config.dump());
  }
  // An edit that leaves a tensor without a name takes it out.
  void edit_weights(const std::function<void(HfTensor&)>& edit) const {
    std::vector<HfTensor> all, kept;
    {
      const Safetensors file = Safetensors::open_file(scratch.file("adapter_model.safetensors"));
      for (const StTensor& t : file.tensors())
        all.push_back({t.name, t.dtype, t.shape, {reinterpret_cast<const char*>(t.data.data()), t.data.size()}});
    }
    for (HfTensor& t : all) {
      edit(t);
      if (!t.name.empty()) kept.push_back(std::move(t));
    }
    scratch.write("adapter_model.safetensors", safetensors_bytes(kept));
  }
  std::string path() const { return scratch.path(); }
  ScratchFolder scratch;
};

// The last hidden states of a text, from a pass that keeps nothing.
inline std::vector<float> last_states(const LoadedModel& model, const std::vector<int32_t>& ids) {
  std::vector<float> states;
  logits_at_once(model, ids, [&](int layer, Ops& op, const Tensor& x) {
    if (layer == model.model->layers()) states = values_of(op, x);
  });
  return states;
}

inline std::string merge_to(const ScratchFolder& scratch, const std::string& type, const std::string& base,
                            const std::vector<AdapterToMerge>& adapters,
                            const std::function<void(const std::string&)>& note = {}) {
  const std::string path = scratch.file("merged." + type);
  ConvertOptions options;
  options.type = type;
  options.threads = 1;
  options.adapters = adapters;
  options.note = note;
  convert(base, path, options);
  return path;
}

}  // namespace quern::test
