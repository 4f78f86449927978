// LoRA adapters merged into their base models against what peft computes in f32; see tests/reference/make_adapters.py.
#include <catch2/catch.hpp>

#include "tiny_adapters.h"

namespace quern::test {
namespace {

void check_against_golden(const LoadedModel& model, const nlohmann::json& golden, const std::string& what) {
  const auto ids = golden_ids(golden);
  for (size_t text = 0; text < ids.size(); ++text) {
    INFO(what << ", text " << text);
    const auto expected = golden.at("states").at(text).get<std::vector<float>>();
    CHECK(difference(last_states(model, ids[text]), expected) < 5e-5);
    if (!golden.contains("logits")) continue;
    const auto logits = golden.at("logits").at(text).get<std::vector<float>>();
    CHECK(difference(logits_at_once(model, ids[text]).back(), logits) < 1e-4);
  }
}

std::string error_of_merging(const std::string& base, const std::string& adapter, Status status = Status::bad_file) {
  const ScratchFolder scratch;
  const Error error = error_of([&] { merge_to(scratch, "f32", base, {{adapter}}); });
  CHECK(error.status == status);
  CHECK(scratch.entries() == 0);
  return error.message;
}

std::string tiny(const std::string& name) {
  return QUERN_TEST_DIR "/golden/models/" + name;
}

}  // namespace

TEST_CASE("merged adapters: states and logits of the reference, from files of f32") {
  for (const std::string& name : adapter_names()) {
    const AdapterBase base(name);
    const ScratchFolder scratch;
    std::vector<std::string> notes;
    const auto model = load_model(merge_to(scratch, "f32", base.path(), {{adapter_folder(name)}},
                                           [&](const std::string& note) { notes.push_back(note); }));
    check_against_golden(*model, base.golden, name);
    INFO(name);
    REQUIRE_FALSE(notes.empty());  // the copy is called like no model
    CHECK_THAT(notes[0], Catch::Contains("'base_model_name_or_path' is tiny/"));
    const auto merged = std::find_if(model->decisions.begin(), model->decisions.end(),
                                     [](const Decision& d) { return d.what == "adapter"; });
    REQUIRE(merged != model->decisions.end());
    CHECK(merged->value == name);
  }
}

TEST_CASE("merged adapters: without them nothing is as the reference") {
  for (const std::string& name : adapter_names()) {
    const AdapterBase base(name);
    const auto ids = golden_ids(base.golden);
    const auto model = load_model(base.path());
    const auto expected = base.golden.at("states").at(1).get<std::vector<float>>();
    INFO(name);
    CHECK(difference(last_states(*model, ids[1]), expected) > 1e-2);
  }
}

TEST_CASE("merged adapters: a classifier of the adapter's own") {
  const AdapterBase base("bert_class");
  const ScratchFolder scratch;
  for (const char* type : {"f32", "q8"}) {
    Session session(load_model(merge_to(scratch, type, base.path(), {{adapter_folder("bert_class")}})), 1);
    const nlohmann::json texts = adapter_golden("bert_class").at("sequence");
    const auto of_base = nlohmann::json::parse(read_text_file(tiny("bert") + "/golden.json", 1 << 24)).at("texts");
    for (const size_t i : {0u, 1u}) {
      const std::string text = of_base.at(i * 2).get<std::string>();
      const std::string_view view = text;
      std::vector<float> scores(3);
      EmbedStats stats;
      session.classify({&view, 1}, {}, {}, true, scores, stats);
      CHECK(difference(scores, texts.at(i).get<std::vector<float>>()) < (std::string(type) == "f32" ? 1e-4 : 0.3));
    }
  }
}

TEST_CASE("merged adapters: files of every kind are near", "[every_type]") {
  for (const std::string name : {"bert_all", "mpnet_dora", "modernbert", "qwen2_tied", "phi3"}) {
    const AdapterBase base(name);
    const auto ids = golden_ids(base.golden);
    for (const char* type : {"q8", "f16", "q8_0"}) {
      const ScratchFolder scratch;
      const auto model = load_model(merge_to(scratch, type, base.path(), {{adapter_folder(name)}}));
      INFO(name << " as " << type);
      const auto expected = base.golden.at("states").at(1).get<std::vector<float>>();
      CHECK(cosine(last_states(*model, ids[1]), expected) > 0.99);
      if (!base.golden.contains("logits")) continue;
      const auto logits = base.golden.at("logits").at(1).get<std::vector<float>>();
      CHECK(cosine(logits_at_once(*model, ids[1]).back(), logits) > 0.99);
    }
  }
}

TEST_CASE("merged adapters: fingerprints tell them apart") {
  const ScratchFolder scratch;
  const auto fingerprint = [&](const std::vector<AdapterToMerge>& adapters) {
    return load_model(merge_to(scratch, "f32", tiny("bert"), adapters))->fingerprint;
  };
  const std::string one = adapter_folder("bert"), other = adapter_folder("bert_ffn");
  const std::vector<std::string> all = {fingerprint({}), fingerprint({{one}}), fingerprint({{one, 0.5f}}),
                                        fingerprint({{other}}), fingerprint({{one}, {other}})};
  for (size_t i = 0; i < all.size(); ++i)
    for (size_t j = 0; j < i; ++j) CHECK(all[i] != all[j]);
  CHECK(fingerprint({{one}}) == all[1]);
}

TEST_CASE("merged adapters: several, with weights") {
  const ScratchFolder scratch;
  const auto ids = golden_ids(adapter_golden("bert"))[1];
  const auto states = [&](const std::vector<AdapterToMerge>& adapters) {
    return last_states(*load_model(merge_to(scratch, "f32", tiny("bert"), adapters)), ids);
  };
  const std::string one = adapter_folder("bert"), other = adapter_folder("bert_ffn");
  CHECK(difference(states({{one, 0.25f}, {one, 0.75f}}), states({{one}})) < 1e-5);
  CHECK(difference(states({{one}, {one, -1.0f}}), states({})) < 1e-5);
  CHECK(difference(states({{one}, {other}}), states({{other}, {one}})) < 1e-5);
  CHECK(difference(states({{one}, {other}}), states({{one}})) > 1e-2);
  CHECK_THAT(error_of([&] {
               states({{adapter_folder("bert_class"), 0.5f}});
             }).message,
             Catch::Contains("modules_to_save") && Catch::Contains("weight 1"));
}

TEST_CASE("merged adapters: the names of tensors that peft has had") {
  const auto expected = adapter_golden("mpnet_dora");
  const auto check = [&](const std::string& what, const std::function<void(std::string&)>& rename) {
    const AdapterCopy adapter("mpnet_dora");
    adapter.edit_weights([&](HfTensor& t) { rename(t.name); });
    const ScratchFolder scratch;
    check_against_golden(*load_model(merge_to(scratch, "f32", tiny("mpnet"), {{adapter.path()}})), expected, what);
  };
  const auto replace = [](std::string& name, const std::string& from, const std::string& to) {
    if (const size_t at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
  };
  check("with the adapter's name", [&](std::string& name) {
    replace(name, "lora_A.weight", "lora_A.default.weight");
    replace(name, "lora_B.weight", "lora_B.default.weight");
    replace(name, "embedding_A", "embedding_A.default");
    replace(name, "embedding_B", "embedding_B.default");
    replace(name, "magnitude_vector", "magnitude_vector.default.weight");
    replace(name, "output.LayerNorm.", "output.LayerNorm.modules_to_save.default.");
  });
  check("without the wrapper's", [&](std::string& name) { replace(name, "base_model.model.", ""); });
  check("with half of it", [&](std::string& name) { replace(name, "base_model.model.", "base_model."); });
  check("with the class's", [&](std::string& name) { replace(name, "base_model.model.", "base_model.model.mpnet."); });
  check("of saved modules",
        [&](std::string& name) { replace(name, "output.LayerNorm.", "output.LayerNorm.modules_to_save."); });
}

TEST_CASE("merged adapters: what is not understood is refused by file and field") {
  const auto refused = [&](const std::function<void(nlohmann::json&)>& edit, Status status = Status::unsupported) {
    const AdapterCopy adapter("bert");
    adapter.edit_config(edit);
    const std::string message = error_of_merging(tiny("bert"), adapter.path(), status);
    CHECK_THAT(message, Catch::Contains(adapter.path() + "/adapter_config.json"));
    return message;
  };
  for (const char* type : {"IA3", "LOHA", "LOKR", "ADALORA", "VERA", "OFT", "PREFIX_TUNING", "P_TUNING", "X"})
    CHECK_THAT(refused([&](auto& c) { c["peft_type"] = type; }),
               Catch::Contains("'peft_type' is " + std::string(type)) && Catch::Contains("merge_and_unload"));
  CHECK_THAT(refused([](auto& c) { c.erase("peft_type"); }, Status::bad_file),
             Catch::Contains("'peft_type' is missing"));
  for (const char* field : {"use_qalora", "use_bdlora", "something_new"})
    CHECK_THAT(refused([&](auto& c) { c[field] = true; }), Catch::Contains(std::string("'") + field + "' is true"));
  CHECK_THAT(refused([](auto& c) { c["target_parameters"] = {"mlp.experts"}; }), Catch::Contains("target_parameters"));
  CHECK_THAT(refused([](auto& c) { c["layer_replication"] = {{0, 1}}; }), Catch::Contains("layer_replication"));
  CHECK_THAT(refused([](auto& c) {
               c["trainable_token_indices"] = {1, 2};
             }),
             Catch::Contains("trainable_token_indices"));
  CHECK_THAT(refused([](auto& c) { c["alora_invocation_tokens"] = {1}; }), Catch::Contains("alora_invocation_tokens"));
  CHECK_THAT(refused([](auto& c) { c["init_lora_weights"] = "pissa"; }), Catch::Contains("init_lora_weights"));
  CHECK_THAT(refused([](auto& c) { c["bias"] = "some"; }), Catch::Contains("'bias' is some"));
  CHECK_THAT(refused([](auto& c) { c["r"] = 0; }, Status::bad_file), Catch::Contains("'r'"));
  CHECK_THAT(refused([](auto& c) { c["r"] = 8; }, Status::bad_file),
             Catch::Contains("rank 4") && Catch::Contains("say 8"));
  CHECK_THAT(refused([](auto& c) { c.erase("lora_alpha"); }, Status::bad_file), Catch::Contains("'lora_alpha'"));
  CHECK_THAT(refused(
                 [](auto& c) {
                   c["alpha_pattern"] = {{"query", "x"}};
                 },
                 Status::bad_file),
             Catch::Contains("alpha_pattern.query"));
  CHECK_THAT(refused(
                 [](auto& c) {
                   c["rank_pattern"] = {{"(que", 4}};
                 },
                 Status::bad_file),
             Catch::Contains("rank_pattern") && Catch::Contains("regular expression"));
  CHECK_THAT(refused(
                 [](auto& c) {
                   c["rank_pattern"] = {{"((e|n|c|o|d|r|.)*)*[5-9]", 4}};
                 },
                 Status::bad_file),
             Catch::Contains("too many steps"));
  CHECK_THAT(refused([](auto& c) { c["use_dora"] = true; }, Status::bad_file), Catch::Contains("magnitude"));
}

TEST_CASE("merged adapters: what does not fit the base model") {
  const auto refused = [&](const std::function<void(HfTensor&)>& edit, Status status = Status::bad_file) {
    const AdapterCopy adapter("bert");
    adapter.edit_weights(edit);
    const std::string message = error_of_merging(tiny("bert"), adapter.path(), status);
    CHECK_THAT(message, Catch::Contains("adapter_model.safetensors") && Catch::Contains("base_model.model."));
    return message;
  };
  const auto has = [](const HfTensor& t, const char* part) { return t.name.find(part) != std::string::npos; };
  CHECK_THAT(refused([&](HfTensor& t) { t.name[t.name.find("layer.") + 6] += 7; }),
             Catch::Contains("encoder.layer.7") && Catch::Contains("has no layer"));
  CHECK_THAT(refused([&](HfTensor& t) {
               if (has(t, "lora_A")) t.shape = {t.shape[1], t.shape[0]};
             }),
             Catch::Contains("expected shape [32, 32]") && Catch::Contains("found [32, 4]"));
  CHECK_THAT(refused([&](HfTensor& t) {
               if (has(t, "lora_B")) t.shape = {t.shape[0] * t.shape[1]};
             }),
             Catch::Contains("expected shape [32, 4]") && Catch::Contains("found [128]"));
  CHECK_THAT(refused([&](HfTensor& t) {
               if (has(t, "lora_B")) t.name.clear();
             }),
             Catch::Contains("without the other"));
  CHECK_THAT(refused([&](HfTensor& t) { t.data[3] = '\x7f', t.data[2] = '\xc0'; }), Catch::Contains("finite"));
  CHECK_THAT(refused(
                 [&](HfTensor& t) {
                   t.name =
                       t.name.substr(0, t.name.rfind(".weight") - 6) + "hada_w1_" + t.name[t.name.rfind(".weight") - 1];
                 },
                 Status::unsupported),
             Catch::Contains("hada_w1_A"));
  CHECK_THAT(refused([&](HfTensor& t) { t.dtype = "I32"; }, Status::unsupported), Catch::Contains("I32"));
  // Of another model, with the same names.
  CHECK_THAT(error_of_merging(tiny_bert(), adapter_folder("bert_all")), Catch::Contains("of another model"));
  CHECK_THAT(error_of_merging(tiny("llama"), adapter_folder("qwen2")),
             Catch::Contains("has no bias") || Catch::Contains("of another model"));
  CHECK_THAT(error_of_merging(tiny("modernbert"), adapter_folder("bert")), Catch::Contains("has no layer"));
}

TEST_CASE("merged adapters: files and folders that are none") {
  const ScratchFolder empty;
  CHECK_THAT(error_of_merging(tiny("bert"), empty.path(), Status::not_found), Catch::Contains("adapter_config.json"));
  CHECK_THAT(error_of_merging(tiny("bert"), empty.file("nothing"), Status::not_found),
             Catch::Contains("no such folder"));
  const AdapterCopy pickled("bert");
  std::filesystem::rename(pickled.scratch.file("adapter_model.safetensors"), pickled.scratch.file("adapter_model.bin"));
  CHECK_THAT(error_of_merging(tiny("bert"), pickled.path(), Status::unsupported),
             Catch::Contains("adapter_model.bin") && Catch::Contains("pickle"));
  const AdapterCopy adapter("bert");
  ConvertOptions options;
  options.type = "f32";
  options.adapters = {{adapter.path()}};
  CHECK_THAT(
      error_of([&] { convert(tiny("bert"), adapter.scratch.file("adapter_model.safetensors"), options); }).message,
      Catch::Contains("is a file of an adapter"));
  const ScratchFolder scratch;
  CHECK_THAT(error_of_merging(convert_to(scratch, "f32", tiny("bert")), adapter.path(), Status::unsupported),
             Catch::Contains("model file") && Catch::Contains("folder"));
}

}  // namespace quern::test
