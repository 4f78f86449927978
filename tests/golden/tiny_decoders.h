// What tests of decoders share: the random models of tests/reference/make_tiny_decoders.py, their reference values, and
// running them with and without kept keys and values.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "dispatch.h"
#include "generation/generator.h"
#include "tiny_bert.h"

namespace quern::test {

inline const std::vector<std::string>& decoder_names() {
  static const std::vector<std::string> names = {"llama",  "llama_tied", "llama_bias",   "mistral",
                                                 "qwen2",  "qwen3",      "gemma",        "gemma2",
                                                 "gemma3", "phi3",       "phi3_longrope"};
  return names;
}

inline std::string decoder_folder(const std::string& name) {
  return QUERN_TEST_DIR "/golden/models/" + name;
}

inline nlohmann::json decoder_golden(const std::string& name) {
  return nlohmann::json::parse(read_text_file(decoder_folder(name) + "/golden.json", 1 << 24));
}

inline std::shared_ptr<const LoadedModel> decoder(const std::string& name) {
  return load_model(decoder_folder(name));
}

inline std::vector<std::vector<int32_t>> golden_ids(const nlohmann::json& golden) {
  return golden.at("ids").get<std::vector<std::vector<int32_t>>>();
}

// A copy of a fixture in a scratch folder.
struct FolderCopy {
  explicit FolderCopy(const std::string& folder) {
    namespace fs = std::filesystem;
    fs::copy(folder, scratch.path(), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    fs::remove(scratch.file("golden.json"));
  }
  void edit_config(const std::function<void(nlohmann::json&)>& edit) const {
    nlohmann::json config = nlohmann::json::parse(read_text_file(scratch.file("config.json"), 1 << 20));
    edit(config);
    scratch.write("config.json", config.dump());
  }
  // Of a folder with one file of weights.
  void edit_weights(const std::function<void(HfTensor&)>& edit) const {
    std::vector<HfTensor> all;
    {
      const Safetensors file = Safetensors::open_folder(scratch.path());
      for (const StTensor& t : file.tensors())
        all.push_back({t.name, t.dtype, t.shape, {reinterpret_cast<const char*>(t.data.data()), t.data.size()}});
    }
    for (HfTensor& t : all) edit(t);
    scratch.write("model.safetensors", safetensors_bytes(all));
  }
  std::string path() const { return scratch.path(); }
  ScratchFolder scratch;
};
struct DecoderCopy : FolderCopy {
  explicit DecoderCopy(const std::string& name) : FolderCopy(decoder_folder(name)) {}
};

// Logits of every token, from a pass that keeps nothing.
inline Rows logits_at_once(const LoadedModel& model, const std::vector<int32_t>& ids, const AfterLayer& after = {}) {
  const std::vector<int32_t> types(ids.size());
  const Sequence whole{0, static_cast<int64_t>(ids.size())};
  HostOps host(default_kernels(), {});
  Ops& op = host;
  const Tensor states = forward(*model.model, {op}, {ids, types, {&whole, 1}}, after);
  if (after) after(model.model->layers(), op, states);
  const LanguageHead head = model.model->language_head();
  if (!head.linear) return {};
  const Tensor y = op.linear(states, *head.linear);
  if (head.softcap > 0) op.softcap(y, head.softcap);
  const std::vector<float> values = values_of(op, y);
  Rows rows;
  for (auto at = values.begin(); at != values.end(); at += y.cols) rows.emplace_back(at, at + y.cols);
  return rows;
}

// Logits of every token as generation has them: over kept keys and values, in a context of just these tokens.
inline Rows logits_in_chunks(std::shared_ptr<const LoadedModel> model, const std::vector<int32_t>& ids, int64_t chunk,
                             KvType kv_type = KvType::f16, int threads = 1) {
  Generator generator(
      std::move(model),
      {.threads = threads, .context = static_cast<int64_t>(ids.size()), .kv_type = kv_type, .chunk = chunk});
  Rows rows;
  generator.score(ids, 0, [&](size_t, std::span<const float> logits) {
    rows.emplace_back(logits.begin(), logits.end());
    return true;
  });
  return rows;
}

inline bool same_bits(const Rows& a, const Rows& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].size() != b[i].size() || std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(float)) != 0)
      return false;
  return true;
}

// The largest difference of some columns from the reference's.
inline double distance(const Rows& found, const nlohmann::json& golden, size_t text) {
  const auto columns = golden.at("columns").get<std::vector<size_t>>();
  const auto expected = golden.at("logits").at(text).get<std::vector<float>>();
  if (expected.size() != found.size() * columns.size()) return HUGE_VAL;
  double worst = 0;
  for (size_t t = 0; t < found.size(); ++t)
    for (size_t c = 0; c < columns.size(); ++c) {
      const double d = std::fabs(double{found[t].at(columns[c])} - double{expected[t * columns.size() + c]});
      worst = d <= worst ? worst : d;  // NaN counts
    }
  const auto last = golden.at("last").at(text).get<std::vector<float>>();
  if (last.size() != found.back().size()) return HUGE_VAL;
  for (size_t c = 0; c < last.size(); ++c) {
    const double d = std::fabs(double{found.back()[c]} - double{last[c]});
    worst = d <= worst ? worst : d;
  }
  return worst;
}

}  // namespace quern::test
