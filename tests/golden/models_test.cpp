// A random model of every architecture against what transformers computes, layer by layer; see
// tests/reference/make_tiny_models.py.
#include <catch2/catch.hpp>

#include "dispatch.h"
#include "models/hf_weights.h"
#include "tiny_bert.h"

namespace quern::test {
namespace {

const char* const kModels[] = {"bert",       "roberta", "xlm-roberta", "distilbert", "mpnet",
                               "nomic_bert", "gte",     "modernbert",  "t5",         "deberta"};

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
    HostOps op(default_kernels(), {});
    model->derive(op);
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
      HostOps op(default_kernels(), {});
      const auto after = [&](int layer, Ops& of, const Tensor& states) {
        // transformers gives the last layer's states after the final norm, where there is one.
        const bool last_layer = layer == n_layers - 1;
        if (last_layer) return;
        INFO(name << ", text " << text << ", after layer " << layer << " (-1: the embeddings)");
        CHECK(difference(values_of(of, states), expected.at(static_cast<size_t>(layer + 1)).get<std::vector<float>>()) <
              2e-5);
      };
      const Tensor last = forward(*encoder.model, {op}, {ids, types, {&whole, 1}}, after);
      INFO(name << ", text " << text << ", at the end");
      CHECK(difference(values_of(op, last), expected.back().get<std::vector<float>>()) < 2e-5);
    }
  }
}

// See tests/reference/make_pad_positions.py. From the folder, and from the file that it is converted to.
TEST_CASE("padding tokens that stand in a text have no position") {
  const auto golden = nlohmann::json::parse(read_text_file(QUERN_TEST_DIR "/golden/pad_positions.json", 1 << 20));
  for (const auto& [name, texts] : golden.items()) {
    const Encoder encoder(folder_of(name));
    ScratchFolder scratch;
    const auto converted = load_model(convert_to(scratch, "f32", folder_of(name)));
    for (const auto& text : texts) {
      const auto ids = text.at("ids").get<std::vector<int32_t>>();
      const std::vector<int32_t> types(ids.size(), 0);
      const Sequence whole{0, static_cast<int64_t>(ids.size())};
      const auto expected = text.at("states").get<std::vector<float>>();
      for (const Model* model : std::initializer_list<const Model*>{encoder.model.get(), converted->model.get()}) {
        INFO(name << ", " << text.at("ids") << (model == encoder.model.get() ? "" : ", converted"));
        HostOps op(default_kernels(), {});
        const Tensor last = forward(*model, {op}, {ids, types, {&whole, 1}}, [](int, Ops&, const Tensor&) {});
        CHECK(difference(values_of(op, last), expected) < 2e-5);
      }
    }
  }
}

namespace {

// A fixture with another class in its config.json, which decides the head that is used.
struct Variant {
  Variant(const std::string& name, const std::string& architecture) {
    namespace fs = std::filesystem;
    fs::copy(folder_of(name), scratch.path(), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    auto config = nlohmann::json::parse(read_text_file(scratch.file("config.json"), 1 << 20));
    config["architectures"] = {architecture};
    scratch.write("config.json", config.dump());
  }
  ScratchFolder scratch;
};

std::vector<std::string_view> views(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

// The single texts of a fixture, and the number of them.
std::vector<std::string> single_texts(const nlohmann::json& golden) {
  std::vector<std::string> texts;
  for (const auto& text : golden.at("texts"))
    if (text.is_string()) texts.push_back(text.get<std::string>());
  return texts;
}

void check_scores(const std::string& name, const std::string& path, double limit) {
  const auto golden = golden_of(name);
  Session session(load_model(path), 2);
  const size_t labels = session.model().pipeline.classifier->labels.size();
  CHECK(labels == 3);
  EmbedStats stats;
  for (size_t i = 0; i < golden.at("texts").size(); ++i) {
    INFO(name << ", text " << i);
    std::vector<std::string> first, second;
    if (const auto& text = golden.at("texts").at(i); text.is_string())
      first = {text.get<std::string>()};
    else
      first = {text.at(0).get<std::string>()}, second = {text.at(1).get<std::string>()};
    std::vector<float> scores(labels);
    session.classify(views(first), views(second), {}, true, scores, stats);
    CHECK(difference(scores, golden.at("sequence").at(i).get<std::vector<float>>()) < limit);
    // The activation: softmax for several labels.
    std::vector<float> shares(labels);
    session.classify(views(first), views(second), {}, false, shares, stats);
    double total = 0;
    for (const float v : shares) total += double{v};
    CHECK(total == Approx(1).epsilon(1e-5));
    for (size_t k = 1; k < labels; ++k)
      CHECK(double{shares[k]} / double{shares[0]} ==
            Approx(std::exp(double{scores[k]} - double{scores[0]})).epsilon(1e-3));
  }
}

std::vector<float> dense_weights(const std::vector<SparseWeight>& weights, size_t n) {
  std::vector<float> all(n, 0.0f);
  for (const SparseWeight& w : weights) all.at(static_cast<size_t>(w.id)) = w.weight;
  return all;
}

constexpr const char* kWithHeads[] = {"bert",  "roberta", "xlm-roberta", "distilbert",
                                      "mpnet", "gte",     "modernbert",  "deberta"};

std::string convert_variant(const Variant& variant, const std::string& type) {
  return convert_to(variant.scratch, type, variant.scratch.path());
}

}  // namespace

TEST_CASE("every architecture: ids, types and vectors of the folder and of files of every type", "[every_type]") {
  for (const std::string name : kModels) {
    const auto golden = golden_of(name);
    const auto model = load_model(folder_of(name));
    for (size_t i = 0; i < golden.at("texts").size(); ++i) {
      const auto& text = golden.at("texts").at(i);
      Encoding e;
      if (text.is_string())
        model->tokenizer->encode(text.get<std::string>(), {}, e);
      else
        model->tokenizer->encode_pair(text.at(0).get<std::string>(), text.at(1).get<std::string>(), {}, e);
      INFO(name << ", text " << i);
      CHECK(e.ids == golden.at("ids").at(i).get<std::vector<int32_t>>());
      CHECK(e.type_ids == golden.at("types").at(i).get<std::vector<int32_t>>());
    }
    const auto texts = single_texts(golden);
    const Rows expected = Embedder(folder_of(name))(texts);
    if (golden.contains("dense"))
      for (size_t i = 0; i < texts.size(); ++i)
        CHECK(difference(expected[i], golden.at("dense").at(i).get<std::vector<float>>()) < 2e-5);
    ScratchFolder scratch;
    for (const WrittenType& type : written_types()) {
      INFO(name << " as " << type.name);
      const Cosines found = cosines(Embedder(convert_to(scratch, type.name, folder_of(name)))(texts), expected);
      const bool four_bits = std::string(type.name).starts_with("q4");
      CAPTURE(found.mean, found.worst);
      const bool five_bits = std::string(type.name).starts_with("q5");
      CHECK(found.worst > (std::string(type.name) == "f32" ? 0.999999 : four_bits ? 0.85 : five_bits ? 0.95 : 0.99));
    }
  }
}

TEST_CASE("every architecture: logits of sequence classification, from the folder and converted") {
  for (const char* name : kWithHeads) {
    const Variant variant(name, "XForSequenceClassification");
    check_scores(name, variant.scratch.path(), 1e-4);
    check_scores(name, convert_variant(variant, "f32"), 1e-4);
    check_scores(name, convert_variant(variant, "q8"), 0.3);
  }
}

TEST_CASE("every architecture: logits of token classification, from the folder and converted") {
  for (const std::string name : kWithHeads) {
    const Variant variant(name, "XForTokenClassification");
    const auto golden = golden_of(name);
    const auto texts = single_texts(golden);
    for (const std::string& path : {variant.scratch.path(), convert_variant(variant, "f32")}) {
      Session session(load_model(path), 1);
      EmbedStats stats;
      const auto found = session.classify_tokens(views(texts), {}, true, stats);
      for (size_t i = 0; i < texts.size(); ++i) {
        INFO(name << ", text " << i << " of " << path);
        CHECK(difference(found[i].scores, golden.at("tokens").at(i).get<std::vector<float>>()) < 1e-4);
        CHECK(found[i].tokens.size() == golden.at("ids").at(i).size());
        for (const TokenScores& t : found[i].tokens) CHECK(t.bytes.end <= texts[i].size());
      }
    }
  }
}

TEST_CASE("every architecture: SPLADE weights, from the folder and converted") {
  for (const std::string name : kWithHeads) {
    const Variant variant(name, "XForMaskedLM");
    variant.scratch.write("modules.json", R"([
      {"idx":0,"name":"0","path":"","type":"sentence_transformers.sparse_encoder.models.MLMTransformer"},
      {"idx":1,"name":"1","path":"1_SpladePooling","type":"sentence_transformers.sparse_encoder.models.SpladePooling"}])");
    variant.scratch.write("1_SpladePooling/config.json", R"({"pooling_strategy":"max","activation_function":"relu"})");
    const auto golden = golden_of(name);
    const auto texts = single_texts(golden);
    for (const std::string& path : {variant.scratch.path(), convert_variant(variant, "f32")}) {
      Session session(load_model(path), 1);
      EmbedStats stats;
      const auto found = session.encode(views(texts), {}, {.sparse = true}, stats);
      for (size_t i = 0; i < texts.size(); ++i) {
        INFO(name << ", text " << i << " of " << path);
        const auto expected = golden.at("masked").at(i).get<std::vector<float>>();
        CHECK(difference(dense_weights(found[i].sparse, expected.size()), expected) < 1e-4);
      }
    }
  }
}

TEST_CASE("bge-m3: dense, sparse and one vector per token from one pass") {
  const auto golden = golden_of("xlm-roberta");
  const auto texts = single_texts(golden);
  ScratchFolder scratch;
  for (const std::string& path : {folder_of("xlm-roberta"), convert_to(scratch, "f32", folder_of("xlm-roberta"))}) {
    Session session(load_model(path), 1);
    EmbedStats stats;
    const auto found = session.encode(views(texts), {}, {.dense = true, .sparse = true, .multi_vector = true}, stats);
    std::vector<float> dense(static_cast<size_t>(session.width({})) * texts.size());
    session.embed(views(texts), {}, dense, stats);
    for (size_t i = 0; i < texts.size(); ++i) {
      INFO("text " << i << " of " << path);
      CHECK(difference(found[i].multi_vector, golden.at("multi").at(i).get<std::vector<float>>()) < 1e-4);
      CHECK(std::equal(found[i].dense.begin(), found[i].dense.end(), &dense[i * found[i].dense.size()]));
      // The largest weight of each token; of special ones none.
      const auto ids = golden.at("ids").at(i).get<std::vector<int32_t>>();
      const auto weights = golden.at("sparse").at(i).get<std::vector<float>>();
      std::vector<float> expected(static_cast<size_t>(session.model().model->vocabulary()), 0.0f);
      for (size_t t = 0; t < ids.size(); ++t)
        if (!session.model().unweighted_ids.count(ids[t]))
          expected[static_cast<size_t>(ids[t])] = std::max(expected[static_cast<size_t>(ids[t])], weights[t]);
      CHECK(difference(dense_weights(found[i].sparse, expected.size()), expected) < 1e-4);
    }
  }
}

TEST_CASE("long texts: cut, refused, averaged, or one vector per piece") {
  Session session(load_model(tiny_bert()), 2);
  std::string text;
  for (int i = 0; i < 40; ++i) text += "the lazy user compared embeddings of sentences ";
  const std::vector<std::string_view> texts = {"fox", text};
  EmbedOptions options;
  options.long_texts = LongTexts::chunks;
  EmbedStats stats;
  const auto chunks = session.encode(texts, options, {.dense = true}, stats);
  const size_t width = static_cast<size_t>(session.width({}));
  CHECK(stats.chunked == 1);
  CHECK(stats.truncated == 0);
  CHECK(stats.texts == 2);
  CHECK(chunks[0].dense.size() == width);
  const size_t n = chunks[1].dense.size() / width;
  CHECK(n > 5);
  // The first piece is what truncation leaves.
  std::vector<float> cut(2 * width);
  session.embed(texts, {}, cut, stats);
  CHECK(stats.truncated == 1);
  CHECK(std::equal(cut.begin() + static_cast<ptrdiff_t>(width), cut.end(), chunks[1].dense.begin()));
  EmbedStats broken;  // invalid UTF-8 in one text of many pieces
  const std::string with_ff = text + "\xFF";
  const std::vector<std::string_view> repaired = {with_ff};
  session.encode(repaired, options, {.dense = true}, broken);
  CHECK(broken.repaired == 1);
  options.long_texts = LongTexts::chunk_mean;
  std::vector<float> mean(2 * width);
  session.embed(texts, options, mean, stats);
  std::vector<double> expected(width);
  double length = 0;
  Encoding e;
  for (size_t c = 0; c < n; ++c) {
    const bool last = c + 1 == n;
    const auto pieces = session.model().tokenizer->encode_windows(text, {.max_length = session.model().max_length});
    for (size_t k = 0; k < width; ++k)
      expected[k] += double{chunks[1].dense[c * width + k]} * static_cast<double>(pieces[c].ids.size());
    if (last) CHECK(pieces.size() == n);
  }
  for (const double v : expected) length += v * v;
  for (size_t k = 0; k < width; ++k) CHECK(mean[width + k] == Approx(expected[k] / std::sqrt(length)).margin(1e-6));
  options.long_texts = LongTexts::error;
  CHECK_THAT(error_of([&] { session.embed(texts, options, cut, stats); }).message, Catch::Contains("text 2"));
  options.long_texts = LongTexts::chunks;
  CHECK(error_of([&] { session.embed(texts, options, cut, stats); }).status == Status::bad_argument);
}

TEST_CASE("token ids that the model does not have are refused, even where they would be cut off") {
  Session session(load_model(tiny_bert()), 1);
  std::vector<int32_t> ids(session.model().max_length + 5, 7);
  const std::vector<std::span<const int32_t>> texts = {ids};
  std::vector<float> out(static_cast<size_t>(session.width({})));
  EmbedStats stats;
  session.embed_ids(texts, {}, out, stats);
  CHECK(stats.truncated == 1);
  for (const int32_t bad : {-1, static_cast<int32_t>(session.model().model->vocabulary())}) {
    ids.back() = bad;
    CHECK_THAT(error_of([&] { session.embed_ids(texts, {}, out, stats); }).message,
               Catch::Contains("text 1") && Catch::Contains(std::to_string(bad)));
  }
}

TEST_CASE("a model is asked for what it does not make") {
  EmbedStats stats;
  std::vector<float> out(4096);
  const std::vector<std::string_view> texts = {"fox"};
  Session embedder(load_model(tiny_bert()), 1);
  CHECK_THAT(error_of([&] { embedder.rerank("fox", texts, {}, false, out, stats); }).message,
             Catch::Contains("scores of pairs") && Catch::Contains("embed"));
  CHECK_THAT(error_of([&] { embedder.encode(texts, {}, {.sparse = true}, stats); }).message, Catch::Contains("sparse"));
  const Variant variant("bert", "BertForSequenceClassification");
  Session classifier(load_model(variant.scratch.path()), 1);
  CHECK_THAT(error_of([&] { classifier.embed(texts, {}, out, stats); }).message,
             Catch::Contains("vectors") && Catch::Contains("classify"));
  CHECK_THAT(error_of([&] { classifier.classify_tokens(texts, {}, false, stats); }).message,
             Catch::Contains("scores of tokens"));
}

}  // namespace quern::test
