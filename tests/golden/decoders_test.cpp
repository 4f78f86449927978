// Random decoders of every architecture against what transformers computes in f32; see
// tests/reference/make_tiny_decoders.py.
#include <catch2/catch.hpp>
#include <map>

#include "tiny_decoders.h"

namespace quern::test {
namespace {

const char* const kEmbedders[] = {"embedding_gemma", "qwen3_embedding"};

// Of the largest |logit|. The reference with keys and values rounded to f16 too: their last bits may differ.
constexpr double kExact = 1e-4, kKept = 5e-3, kSameKept = 3e-4;

// Of files: the mean cosine between all tokens' logits, or texts' vectors, and the folder's. Models as narrow as these
// show every rounding.
const std::map<std::string, double> kFloors = {{"f32", 0.99999}, {"f16", 0.99999}, {"bf16", 0.999}, {"q8_0", 0.99},
                                               {"q8", 0.99},     {"q4_0", 0.75},   {"q4", 0.75}};

double last_distance(const Rows& found, const nlohmann::json& golden, size_t text) {
  const auto expected = golden.at("kept").at(text).get<std::vector<float>>();
  double worst = expected.size() == found.back().size() ? 0 : HUGE_VAL;
  for (size_t i = 0; i < expected.size(); ++i)
    worst = std::max(worst, std::fabs(double{found.back().at(i)} - double{expected[i]}));
  return worst;
}

std::string converted(const ScratchFolder& scratch, const std::string& name, const std::string& type) {
  return convert_to(scratch, type, decoder_folder(name));
}

}  // namespace

TEST_CASE("decoders: token ids of the reference's tokenizer, and back to text") {
  std::vector<std::string> names = decoder_names();
  names.insert(names.end(), std::begin(kEmbedders), std::end(kEmbedders));
  for (const std::string& name : names) {
    const auto golden = decoder_golden(name);
    const auto model = decoder(name);
    for (size_t i = 0; i < golden.at("texts").size(); ++i) {
      INFO(name << ", text " << i);
      Encoding e;
      model->tokenizer->encode(golden.at("texts").at(i).get<std::string>(), {}, e);
      CHECK(e.ids == golden_ids(golden)[i]);
    }
  }
}

TEST_CASE("decoders: states after every layer") {
  std::vector<std::string> names = decoder_names();
  names.insert(names.end(), std::begin(kEmbedders), std::end(kEmbedders));
  for (const std::string& name : names) {
    const auto golden = decoder_golden(name);
    const auto model = decoder(name);
    const int n_layers = model->model->layers();
    for (const auto& one : golden.at("states")) {
      const size_t text = one.at("text").get<size_t>();
      logits_at_once(*model, golden_ids(golden)[text], [&](int layer, Ops& op, const Tensor& states) {
        if (layer == n_layers - 1) return;  // the reference gives the last layer's behind the final norm
        const auto& expected = one.at("layers").at(static_cast<size_t>(std::min(layer + 1, n_layers)));
        INFO(name << ", text " << text << ", after layer " << layer << " (-1: the embeddings)");
        CHECK(difference(values_of(op, states), expected.get<std::vector<float>>()) < 5e-5);
      });
    }
  }
}

TEST_CASE("decoders: logits of every token, at once and over kept keys") {
  for (const std::string& name : decoder_names()) {
    const auto golden = decoder_golden(name);
    const auto model = decoder(name);
    for (size_t text = 0; text < golden_ids(golden).size(); ++text) {
      const auto ids = golden_ids(golden)[text];
      const double largest = golden.at("largest").at(text).get<double>();
      INFO(name << ", text " << text << ", largest logit " << largest);
      CHECK(distance(logits_at_once(*model, ids), golden, text) / largest < kExact);
      const Rows kept = logits_in_chunks(model, ids, 1 << 12);
      CHECK(distance(kept, golden, text) / largest < kKept);
      CHECK(last_distance(kept, golden, text) / largest < kSameKept);
      // 8-bit keys and values: near, not equal.
      const double i8 = distance(logits_in_chunks(model, ids, 1 << 12, KvType::i8), golden, text) / largest;
      CHECK(i8 < 0.1);
    }
  }
}

TEST_CASE("decoders: logits do not depend on chunks nor threads, to the bit") {
  for (const std::string& name : decoder_names()) {
    const auto golden = decoder_golden(name);
    const auto model = decoder(name);
    const auto ids = golden_ids(golden)[2];
    for (const KvType type : {KvType::f16, KvType::i8}) {
      const Rows whole = logits_in_chunks(model, ids, 1 << 12, type);
      REQUIRE(whole.size() == ids.size());
      for (const int64_t chunk : {1, 2, 3, 7, 31, 32, 33, 64, 70}) {
        INFO(name << (type == KvType::i8 ? ", i8" : ", f16") << ", chunks of " << chunk);
        CHECK(same_bits(logits_in_chunks(model, ids, chunk, type), whole));
      }
      for (const int threads : {2, 3, 4}) {
        INFO(name << ", " << threads << " threads");
        CHECK(same_bits(logits_in_chunks(model, ids, 50, type, threads), whole));
      }
    }
  }
}

TEST_CASE("decoders: files of every type", "[every_type]") {
  for (const std::string& name : decoder_names()) {
    const auto golden = decoder_golden(name);
    const auto folder = decoder(name);
    for (const auto& [type, floor] : kFloors) {
      ScratchFolder scratch;
      INFO(name << " as " << type);
      const std::shared_ptr<const LoadedModel> model = load_model(converted(scratch, name, type));
      CHECK(model->end_tokens == folder->end_tokens);
      double sum = 0;
      size_t n = 0;
      for (size_t text = 0; text < golden_ids(golden).size(); ++text) {
        const auto ids = golden_ids(golden)[text];
        Encoding e;
        model->tokenizer->encode(golden.at("texts").at(text).get<std::string>(), {}, e);
        CHECK(e.ids == ids);
        const Rows found = logits_in_chunks(model, ids, 1 << 12), expected = logits_in_chunks(folder, ids, 1 << 12);
        for (size_t t = 0; t < found.size(); ++t, ++n) sum += cosine(found[t], expected[t]);
        if (type != "f32") continue;
        const double largest = golden.at("largest").at(text).get<double>();
        CHECK(last_distance(found, golden, text) / largest < kSameKept);
        CHECK(distance(logits_at_once(*model, ids), golden, text) / largest < kExact);
      }
      CAPTURE(sum / static_cast<double>(n));
      CHECK(sum / static_cast<double>(n) > floor);
    }
  }
}

TEST_CASE("decoders: the tokens that follow, as the reference chooses them") {
  for (const std::string& name : decoder_names()) {
    const auto golden = decoder_golden(name);
    const auto model = decoder(name);
    Generator generator(model, {.threads = 1, .context = 256});
    for (size_t text = 0; text < golden_ids(golden).size(); ++text) {
      // The reference takes longrope's factors by the text's length, quern by the context's.
      if (name == "phi3_longrope" && golden_ids(golden)[text].size() < 64) continue;
      const auto expected = golden.at("greedy").at(text).get<std::vector<int32_t>>();
      Request request;
      request.prompt = golden_ids(golden)[text];
      request.max_tokens = static_cast<int64_t>(expected.size());
      request.sampling.temperature = 0;
      request.ignore_end = true;
      generator.add(std::move(request));
      std::vector<Generated> out;
      while (generator.running() > 0) generator.step(out);
      std::vector<int32_t> found;
      for (const Generated& g : out) found.push_back(g.token);
      INFO(name << ", text " << text);
      CHECK(found == expected);
    }
  }
}

TEST_CASE("decoders: config.json as transformers wrote it before version 5") {
  const std::vector<int32_t> ids = golden_ids(decoder_golden("llama"))[2];
  const auto check = [&](const std::string& name, const std::function<void(nlohmann::json&)>& edit) {
    const DecoderCopy copy(name);
    copy.edit_config([&](nlohmann::json& config) {
      edit(config);
      config.erase("rope_parameters");
    });
    INFO(name);
    const std::vector<int32_t> text = golden_ids(decoder_golden(name))[2];
    CHECK(same_bits(logits_at_once(*load_model(copy.path()), text), logits_at_once(*decoder(name), text)));
  };
  check("llama", [](nlohmann::json& c) {
    nlohmann::json scaling = c["rope_parameters"];
    c["rope_theta"] = scaling["rope_theta"];
    scaling.erase("rope_theta");
    c["rope_scaling"] = scaling;
  });
  check("qwen2", [](nlohmann::json& c) { c["rope_theta"] = c["rope_parameters"]["rope_theta"]; });
  check("phi3_longrope", [](nlohmann::json& c) {
    c["rope_scaling"] = {{"type", "su"},
                         {"short_factor", c["rope_parameters"]["short_factor"]},
                         {"long_factor", c["rope_parameters"]["long_factor"]}};
  });
  check("gemma3", [](nlohmann::json& c) {
    c["rope_theta"] = 1e6;
    c["rope_local_base_freq"] = 1e4;
    c["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 8.0}};
    c["sliding_window_pattern"] = 3;
    c.erase("layer_types");
  });
  check("gemma2", [](nlohmann::json& c) {
    c["rope_theta"] = 1e4;
    c.erase("layer_types");
  });
}

TEST_CASE("decoders that embed: vectors of the reference, from the folder and from files", "[every_type]") {
  for (const std::string name : kEmbedders) {
    const auto golden = decoder_golden(name);
    const auto texts = golden.at("texts").get<std::vector<std::string>>();
    const auto expected = golden.at("dense").get<Rows>();
    INFO(name);
    const Rows found = Embedder(decoder_folder(name))(texts);
    CHECK(difference(found, expected) < 2e-5);
    CHECK(Embedder(decoder_folder(name), 3)(texts) == found);
    for (const auto& [type, floor] : kFloors) {
      ScratchFolder scratch;
      const Cosines c = cosines(Embedder(converted(scratch, name, type))(texts), expected);
      INFO("as " << type << ": mean " << c.mean << ", worst " << c.worst);
      CHECK(c.mean > floor);
    }
  }
}

}  // namespace quern::test
