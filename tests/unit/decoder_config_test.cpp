// What decoders ask of config.json and of GGUF keys, and what is said of those that do not fit.
#include <catch2/catch.hpp>

#include "../golden/tiny_decoders.h"
#include "gguf/reader.h"
#include "gguf/writer.h"
#include "models/registry.h"

namespace quern::test {
namespace {

using Catch::Contains;
using nlohmann::json;

Error error_with(const std::string& name, const std::function<void(json&)>& edit) {
  const DecoderCopy copy(name);
  copy.edit_config(edit);
  return error_of([&] { load_model(copy.path()); });
}

// A file of llama's keys, changed, and no tensors: the model's config alone.
Error gguf_config_error(const std::function<void(GgufWriter&)>& add) {
  ScratchFolder scratch;
  GgufWriter file(scratch.file("keys"));
  file.set_u32("llama.vocab_size", 100);
  file.set_u32("llama.context_length", 128);
  file.set_u32("llama.embedding_length", 32);
  file.set_u32("llama.block_count", 2);
  file.set_u32("llama.feed_forward_length", 64);
  file.set_u32("llama.attention.head_count", 4);
  add(file);
  file.begin();
  file.commit();
  const std::string bytes = read_text_file(scratch.file("keys"), 1 << 20);
  return error_of([&] {
    const GgufReader reader(as_bytes(bytes), "keys");
    GgufConfig config(reader, "llama");
    architecture_of_gguf("llama", "keys").make()->config(config);
  });
}

}  // namespace

TEST_CASE("decoders' config.json: each required key missing, of another type, out of range", "[hostile]") {
  for (const std::string& name : decoder_names()) {
    std::vector<const char*> keys = {"hidden_size",         "num_hidden_layers", "intermediate_size",
                                     "num_attention_heads", "vocab_size",        "max_position_embeddings"};
    for (const char* key : keys) {
      const auto says = [&](const json& value) {
        const Error e = error_with(name, [&](json& c) { c[key] = value; });
        INFO(name << ", " << key << " = " << value.dump() << ": " << e.message);
        CHECK(e.status == Status::bad_file);
        CHECK_THAT(e.message, Contains("config.json") && Contains(key));
      };
      for (const json& value : {json(nullptr), json("x"), json(0), json(-1), json(1.5), json(1e30), json(UINT64_MAX)})
        says(value);
    }
    for (const auto& [key, value] : std::vector<std::pair<const char*, json>>{{"head_dim", 0},
                                                                              {"head_dim", 1 << 20},
                                                                              {"num_key_value_heads", 0},
                                                                              {"rms_norm_eps", -1},
                                                                              {"rms_norm_eps", "small"}}) {
      const Error e = error_with(name, [&, key = key, value = value](json& c) { c[key] = value; });
      INFO(name << ", " << key << ": " << e.message);
      CHECK(e.status == Status::bad_file);
      CHECK_THAT(e.message, Contains(key));
    }
  }
}

TEST_CASE("decoders' config.json: heads and rotations that do not divide") {
  CHECK_THAT(error_with("llama", [](json& c) { c["num_key_value_heads"] = 3; }).message, Contains("4 heads"));
  CHECK_THAT(error_with("gemma3", [](json& c) { c["head_dim"] = 9; }).message, Contains("even"));
  // Another width than the tensors'.
  const Error e = error_with("qwen3", [](json& c) { c["head_dim"] = 14; });
  CHECK(e.status == Status::bad_file);
  CHECK_THAT(e.message, Contains("q_proj"));
}

TEST_CASE("decoders' config.json: what quern does not run") {
  const auto unsupported = [](const std::string& name, const std::string& text,
                              const std::function<void(json&)>& edit) {
    const Error e = error_with(name, edit);
    INFO(name << ": " << e.message);
    CHECK(e.status == Status::unsupported);
    CHECK_THAT(e.message, Contains("config.json") && Contains(text));
  };
  for (const char* kind : {"yarn", "dynamic", "something new"}) {
    unsupported("llama", kind, [&](json& c) { c["rope_parameters"]["rope_type"] = kind; });
    unsupported("qwen2", kind, [&](json& c) { c["rope_scaling"] = {{"rope_type", kind}, {"factor", 4.0}}; });
    unsupported("gemma3", kind, [&](json& c) { c["rope_parameters"]["full_attention"]["rope_type"] = kind; });
  }
  unsupported("llama", "mlp_bias", [](json& c) { c["mlp_bias"] = true; });
  unsupported("qwen2", "use_sliding_window", [](json& c) { c["use_sliding_window"] = true; });
  unsupported("qwen3", "use_sliding_window", [](json& c) { c["use_sliding_window"] = true; });
  unsupported("gemma3", "attn_logit_softcapping", [](json& c) { c["attn_logit_softcapping"] = 50.0; });
  unsupported("phi3", "partial_rotary_factor", [](json& c) { c["rope_parameters"]["partial_rotary_factor"] = 0.75; });
  unsupported("llama", "relu6", [](json& c) { c["hidden_act"] = "relu6"; });
  unsupported("gemma3", "layer_types", [](json& c) {
    c["layer_types"] = {"full_attention", "sliding_attention", "sliding_attention", "full_attention"};
  });
  const Error e = error_with("phi3_longrope", [](json& c) { c["rope_parameters"]["long_factor"] = {1.0, 2.0}; });
  CHECK(e.status == Status::bad_file);
  CHECK_THAT(e.message, Contains("long_factor") && Contains("4"));
}

TEST_CASE("decoders' GGUF keys: scaling of places that quern does not run") {
  const auto with_type = [](const char* kind) {
    return gguf_config_error([&](GgufWriter& file) {
      file.set_string("llama.rope.scaling.type", kind);
      file.set_f32("llama.rope.scaling.factor", 4);
    });
  };
  for (const char* kind : {"none", "linear", "longrope"}) CHECK(with_type(kind).status == Status::ok);
  const Error e = with_type("yarn");
  CHECK(e.status == Status::unsupported);
  CHECK_THAT(e.message, Contains("llama.rope.scaling.type") && Contains("yarn") && Contains("linear"));
  CHECK(gguf_config_error([](GgufWriter& file) { file.set_u32("llama.rope.scaling.type", 1); }).status ==
        Status::bad_file);
}

}  // namespace quern::test
