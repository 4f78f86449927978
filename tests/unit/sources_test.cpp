// What a model's source gives, whichever format it has: the tiny BERT as a folder, and as files of several types.
#include <catch2/catch.hpp>

#include "../golden/tiny_bert.h"
#include "fingerprint.h"
#include "heads/pooling.h"
#include "sources/model_source.h"

namespace quern::test {
namespace {

std::vector<float> floats_of(const WeightTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  read_floats(tensor, 0, tensor.elements(), values.data());
  return values;
}

}  // namespace

TEST_CASE("sources: parts of weights are the same in a folder and in a file") {
  ScratchFolder scratch;
  const auto folder = load_model(tiny_bert()), file = load_model(convert_to(scratch, "f32"));
  const WeightSource &a = folder->source->weights(), &b = file->source->weights();
  CHECK(a.as_trained());
  CHECK_FALSE(b.as_trained());
  REQUIRE(folder->weights.specs.size() == file->weights.specs.size());
  size_t parts = 0, biases = 0;
  for (size_t s = 0; s < folder->weights.specs.size(); ++s) {
    const WeightSpec &x = folder->weights.specs[s], &y = file->weights.specs[s];
    INFO(x.name);
    CHECK(a.holds(x));
    CHECK(b.holds(y));
    for (size_t i = 0; i < x.parts.size(); ++i, ++parts) {
      const auto from = a.find(x, i), to = b.find(y, i);
      REQUIRE(from);
      REQUIRE(to);
      CHECK(from->weight.shape == to->weight.shape);
      const std::vector<float> values = floats_of(from->weight);
      CHECK(values == floats_of(to->weight));
      REQUIRE(from->bias.has_value() == x.bias);
      REQUIRE(to->bias.has_value() == x.bias);
      if (x.bias) CHECK(floats_of(*from->bias) == floats_of(*to->bias));
      biases += x.bias;
      a.done_with(x);  // a hint: what is read again is what it was
      b.done_with(y);
      CHECK(floats_of(from->weight) == values);
      CHECK(floats_of(to->weight) == values);
    }
  }
  CHECK(parts == 3 * 8 + 4);  // of three layers, and embeddings with their norm
  CHECK(biases == 3 * 8 + 1);
}

TEST_CASE("sources: a file of panels holds weights that have no parts") {
  ScratchFolder scratch;
  const auto file = load_model(convert_to(scratch, "q8"));
  const WeightSource& weights = file->source->weights();
  size_t panels = 0;
  for (const WeightSpec& spec : file->weights.specs) {
    INFO(spec.name);
    CHECK(weights.holds(spec));
    const auto found = weights.find(spec, 0);
    CHECK(found.has_value() == !(spec.linear && !spec.linear->parts[0].w.type->rows));
    panels += !found;
    if (found && spec.linear) CHECK(error_of([&] { floats_of(found->weight); }).status == Status::ok);
    weights.done_with(spec);
  }
  CHECK(panels > 0);
  WeightSpec none = file->weights.specs[0];
  none.name = none.parts[0].gguf = "none";
  CHECK_FALSE(weights.holds(none));
  CHECK(error_of([&] { weights.find(none, 0); }).message.find("'none.weight' is missing") != std::string::npos);
}

TEST_CASE("sources: what is hashed is every tensor once, in the same order") {
  ScratchFolder scratch;
  for (const std::string& path : {tiny_bert(), convert_to(scratch, "q8")}) {
    const auto model = load_model(path);
    INFO(model->format);
    std::vector<std::string> headings;
    size_t bytes = 0;
    model->source->weights().each(model->weights, [&](const HashedWeight& weight) {
      REQUIRE_FALSE(weight.pieces.empty());
      for (const auto& [heading, data] : weight.pieces) {
        headings.push_back(heading);
        bytes += data.size();
      }
    });
    CHECK(headings.size() > 50);
    CHECK(bytes > 100000);
    CHECK(hash_weights(*model) == hash_weights(*load_model(path)));
    const SourceContents contents = model->source->weights().contents();
    CHECK(contents.bytes >= bytes);
    CHECK(contents.keys.has_value() == (model->format == "gguf"));
    CHECK_FALSE(contents.tensors.empty());
  }
}

TEST_CASE("sources: settings that a conversion keeps") {
  ScratchFolder scratch;
  const auto folder = load_model(tiny_bert()), file = load_model(convert_to(scratch, "f32"));
  CHECK(folder->format == "folder");
  CHECK(file->format == "gguf");
  CHECK(folder->pipeline == file->pipeline);
  CHECK(folder->prompts == file->prompts);
  CHECK(folder->default_prompt == file->default_prompt);
  CHECK(folder->max_length == file->max_length);
  CHECK(folder->similarity == file->similarity);
  CHECK(folder->end_tokens == file->end_tokens);
  CHECK(decisions_to_json(folder->decisions) == decisions_to_json(file->decisions));
  CHECK(folder->fingerprint.empty());
  CHECK(file->fingerprint == make_fingerprint(hash_weights(*folder), "f32", *folder));
}

TEST_CASE("sources: llama.cpp's numbers of poolings") {
  size_t n = 0;
  while (find_llama_pooling(n + 1)) ++n;
  size_t numbered = 0;
  for (const PoolingMode& mode : pooling_modes()) {
    INFO(mode.name);
    CHECK(find_pooling_mode(mode.name) == &mode);
    if (mode.llama == 0) continue;
    ++numbered;
    CHECK(find_llama_pooling(mode.llama) == &mode);
  }
  CHECK(n == numbered);
  CHECK(find_llama_pooling(0) == nullptr);
  CHECK(find_pooling_mode("median") == nullptr);
}

}  // namespace quern::test
