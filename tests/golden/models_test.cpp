// A random model of every architecture against what transformers computes, layer by layer; see
// tests/reference/make_tiny_models.py.
#include <catch2/catch.hpp>

#include "dispatch.h"
#include "models/hf_weights.h"
#include "tiny_bert.h"

namespace quern::test {
namespace {

const char* const kModels[] = {"bert",       "roberta", "xlm-roberta", "distilbert", "mpnet",
                               "nomic_bert", "gte",     "modernbert",  "t5"};

std::string folder_of(const std::string& name) {
  return QUERN_TEST_DIR "/golden/models/" + name;
}

nlohmann::json golden_of(const std::string& name) {
  return nlohmann::json::parse(read_text_file(folder_of(name) + "/golden.json", 1 << 24));
}

// The encoder alone, without its tokenizer.
struct Encoder {
  explicit Encoder(const std::string& folder) : hf(folder, "", prefixes(folder)) {
    model = architecture(folder).make();
    JsonConfig config(read_text_file(folder + "/config.json", 1 << 20), "config.json");
    model->config(config);
    model->weights(map);
    hf.bind(map.specs, store);
  }
  static const Architecture& architecture(const std::string& folder) {
    const auto config = nlohmann::json::parse(read_text_file(folder + "/config.json", 1 << 20));
    return architecture_of_hf(config.at("model_type").get<std::string>(), folder);
  }
  static std::vector<std::string> prefixes(const std::string& folder) { return architecture(folder).prefixes; }

  HfWeights hf;
  std::unique_ptr<Model> model;
  WeightMap map;
  WeightStore store;
};

std::vector<float> flat(const Tensor& x) {
  std::vector<float> all;
  for (int64_t t = 0; t < x.rows; ++t) all.insert(all.end(), x.row(t), x.row(t) + x.cols);
  return all;
}

}  // namespace

TEST_CASE("every architecture: states after every layer") {
  for (const std::string name : kModels) {
    const auto golden = golden_of(name);
    const Encoder encoder(folder_of(name));
    const int n_layers = encoder.model->layers();
    for (const auto& one : golden.at("states")) {
      const size_t text = one.at("text").get<size_t>();
      const auto ids = golden.at("ids").at(text).get<std::vector<int32_t>>();
      const auto types = golden.at("types").at(text).get<std::vector<int32_t>>();
      const auto& expected = one.at("layers");
      const Sequence whole{0, static_cast<int64_t>(ids.size())};
      Arena arena;
      Ops op(default_kernels(), arena, Precision::f32);
      const Tensor last = forward(*encoder.model, op, {ids, types, {&whole, 1}}, [&](int layer, const Tensor& states) {
        // transformers gives the last layer's states after the final norm, where there is one.
        const bool last_layer = layer == n_layers - 1;
        if (last_layer) return;
        INFO(name << ", text " << text << ", after layer " << layer << " (-1: the embeddings)");
        CHECK(difference(flat(states), expected.at(static_cast<size_t>(layer + 1)).get<std::vector<float>>()) < 2e-5);
      });
      INFO(name << ", text " << text << ", at the end");
      CHECK(difference(flat(last), expected.back().get<std::vector<float>>()) < 2e-5);
    }
  }
}

}  // namespace quern::test
