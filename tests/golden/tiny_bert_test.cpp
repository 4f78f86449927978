// The tiny BERT against what transformers and sentence-transformers compute: ids, states layer by layer, vectors, in
// every weight type and on every ISA that runs here.
#include "tiny_bert.h"

#include <catch2/catch.hpp>

#include "dispatch.h"
#include "quants/list.h"

namespace quern::test {
namespace {

// Cosines that each type keeps on the tiny model, measured (the comment) and a little below. Its random weights have a
// wide spread, so that the int types do worse than on a trained model.
struct Expected {
  const char* type;
  double mean, worst;
};
constexpr Expected kExpected[] = {
    {"f32", 0.9999999, 0.9999999}, {"f16", 0.9999999, 0.9999999}, {"bf16", 0.99995, 0.9998},  // 0.99997 0.99990
    {"q8", 0.9997, 0.9993},                                                                   // 0.99982 0.99958
    {"q8_fine", 0.9998, 0.9995},                                                              // 0.99990 0.99973
    {"q4", 0.988, 0.972},                                                                     // 0.9910  0.9798
    {"q4_m", 0.99, 0.975},         {"q5", 0.996, 0.99},           {"q8_0", 0.9996, 0.9992},   // 0.99973 0.99948
    {"q4_0", 0.955, 0.935},                                                                   // 0.9620  0.9489
    {"q4_1", 0.935, 0.88},                                                                    // 0.9425  0.8930
    {"q5_0", 0.975, 0.96},                                                                    // 0.9797  0.9697
    {"q5_1", 0.985, 0.975},                                                                   // 0.9880  0.9806
};

void check_states(const std::string& path, double limit) {
  const Embedder model(path);
  for (const auto& one : golden().at("states")) {
    const size_t index = one.at("text").get<size_t>();
    const auto ids = golden().at("ids").at(index).get<std::vector<int32_t>>();
    const std::vector<int32_t> types(ids.size(), 0);
    const Sequence text{0, static_cast<int64_t>(ids.size())};
    HostOps op(default_kernels(), {});
    int seen = -1;
    forward(*model.model->model, {op}, {ids, types, {&text, 1}}, [&](int layer, Ops& of, const Tensor& states) {
      INFO("text " << index << ", after layer " << layer << " (-1: the embeddings)");
      REQUIRE(layer == seen++);
      const std::vector<float> found = values_of(of, states);
      CHECK(difference(found, one.at("layers").at(static_cast<size_t>(layer + 1)).get<std::vector<float>>()) < limit);
    });
    CHECK(seen == 3);
  }
}

}  // namespace

TEST_CASE("tiny bert: token ids are those of the tokenizer") {
  const auto model = load_model(tiny_bert());
  const auto texts = golden_texts();
  for (size_t i = 0; i < texts.size(); ++i) {
    Encoding e;
    model->tokenizer->encode(texts[i], {.add_special = true, .max_length = model->max_length}, e);
    CHECK(e.ids == golden().at("ids").at(i).get<std::vector<int32_t>>());
  }
}

TEST_CASE("tiny bert: states after every layer") {
  check_states(tiny_bert(), 2e-5);
  ScratchFolder scratch;
  check_states(convert_to(scratch, "f32"), 2e-5);
  write_variant(scratch, [](HfTensor& t) { change_dtype(t, "F32"); });
  check_states(scratch.path(), 2e-5);
}

TEST_CASE("tiny bert: vectors from the folder") {
  Embedder f16(tiny_bert());
  CHECK(f16.model->type == "f16");
  CHECK(difference(f16(golden_texts()), golden_vectors()) < 2e-6);
  CHECK(cosines(f16(golden_texts()), golden_vectors()).worst >= 0.999999);
  CHECK(f16.stats.texts == golden_texts().size());
  CHECK(f16.stats.truncated == 2);
  CHECK(f16.stats.repaired == 0);
  size_t tokens = 0;
  for (const auto& ids : golden().at("ids")) tokens += ids.size();
  CHECK(f16.stats.tokens == tokens);

  ScratchFolder scratch;
  write_variant(scratch, [](HfTensor& t) { change_dtype(t, "F32"); });
  Embedder f32(scratch.path());
  CHECK(f32.model->type == "f32");
  CHECK(difference(f32(golden_texts()), golden_vectors()) < 2e-6);
}

TEST_CASE("tiny bert: vectors of every type, converted", "[every_type]") {
  CHECK(std::size(kExpected) == written_types().size());  // a new type wants a line
  ScratchFolder scratch;
  for (const Expected& expected : kExpected) {
    INFO(expected.type);
    Embedder model(convert_to(scratch, expected.type));
    CHECK(std::string(expected.type).starts_with(model.model->type));
    CHECK(model.model->format == "gguf");
    CHECK(model.model->max_length == 32);
    const Cosines found = cosines(model(golden_texts()), golden_vectors());
    CAPTURE(found.mean, found.worst);
    CHECK(found.mean >= expected.mean);
    CHECK(found.worst >= expected.worst);
  }
}

TEST_CASE("tiny bert: every ISA gives close vectors", "[every_isa][slow]") {
  ScratchFolder scratch;
  for (const WrittenType& type : written_types()) {
    const std::string path = convert_to(scratch, type.name);
    Rows first;
    for (const KernelTable* table : built_kernels()) {
      if (!table->runs_here()) continue;
      INFO(type.name << " on " << table->name);
      const SetEnv isa("QUERN_ISA", table->name);
      const Rows rows = Embedder(path)(golden_texts());
      if (first.empty()) first = rows;
      // Sums of floats in another order differ in the last bits; where that moves an activation over a rounding
      // boundary, int8 differs by a step.
      const bool floats = std::string(type.name) == "f32" || std::string(type.name).ends_with("f16");
      CHECK(difference(rows, first) < (floats ? 2e-6 : 4e-3));
      CHECK(cosines(rows, first).worst > (floats ? 0.9999999 : 0.9999));
    }
  }
}

TEST_CASE("tiny bert: a QUERN_ISA that cannot run is an error") {
  const SetEnv isa("QUERN_ISA", "mmx");
  const Error e = error_of([] { Embedder model(tiny_bert()); });
  CHECK(e.status == Status::bad_argument);
  CHECK_THAT(e.message, Catch::Contains("mmx") && Catch::Contains("scalar"));
}

}  // namespace quern::test
