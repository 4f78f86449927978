// LoRA adapters beside their base models, text by text, against what peft computes in f32; see
// tests/reference/make_adapters.py.
#include <catch2/catch.hpp>

#include "adapters/adapter.h"
#include "generation/generator.h"
#include "run/text_work.h"
#include "tiny_adapters.h"

namespace quern::test {
namespace {

using SharedModel = std::shared_ptr<const LoadedModel>;
using SharedAdapter = std::shared_ptr<const Adapter>;

std::vector<std::string> apart() {
  std::vector<std::string> names;
  for (const std::string& name : adapter_names())
    if (!adapter_golden(name).at("merged").get<bool>()) names.push_back(name);
  return names;
}

std::string base_of(const std::string& name) {
  return QUERN_TEST_DIR "/golden/models/" + adapter_golden(name).at("base").get<std::string>();
}

// Last hidden states of several texts in one pass, each with its own adapter or none.
Rows states_of(const LoadedModel& model, const std::vector<std::vector<int32_t>>& texts,
               const std::vector<SharedAdapter>& adapters, int threads = 0) {
  std::vector<int32_t> ids, types;
  std::vector<Sequence> sequences;
  for (size_t i = 0; i < texts.size(); ++i) {
    sequences.push_back({.first = static_cast<int64_t>(ids.size()),
                         .length = static_cast<int64_t>(texts[i].size()),
                         .changes = adapters[i] ? &adapters[i]->changes() : nullptr});
    ids.insert(ids.end(), texts[i].begin(), texts[i].end());
  }
  types.resize(ids.size());
  std::unique_ptr<Pool> pool = threads > 0 ? std::make_unique<Pool>(threads) : nullptr;
  const auto op = model.device->ops({.precision = precision_of(model), .pool = pool.get()});
  const Tensor states = forward(*model.model, {*op}, {ids, types, sequences});
  Rows rows;
  for (const Sequence& s : sequences) rows.push_back(values_of(*op, states.slice(s.first, s.length)));
  return rows;
}

std::vector<int32_t> greedy(Generator& generator, const std::vector<int32_t>& prompt, SharedAdapter adapter) {
  Request request;
  request.prompt = prompt;
  request.max_tokens = 12;
  request.sampling.temperature = 0;
  request.ignore_end = true;
  request.adapter = std::move(adapter);
  generator.add(std::move(request));
  std::vector<Generated> out;
  while (generator.running() > 0) generator.step(out);
  std::vector<int32_t> tokens;
  for (const Generated& g : out) tokens.push_back(g.token);
  return tokens;
}

}  // namespace

TEST_CASE("adapters: states of the reference, beside the folder and beside files") {
  for (const std::string& name : apart()) {
    const auto golden = adapter_golden(name);
    const auto ids = golden_ids(golden);
    const ScratchFolder scratch;
    for (const std::string& path : {base_of(name), convert_to(scratch, "f32", base_of(name))}) {
      const SharedModel model = load_model(path);
      const SharedAdapter adapter = Adapter::load(model, adapter_folder(name));
      CHECK(adapter->bytes() > 0);
      for (size_t text = 0; text < ids.size(); ++text) {
        INFO(name << ", text " << text << " of " << path);
        const auto expected = golden.at("states").at(text).get<std::vector<float>>();
        CHECK(difference(states_of(*model, {ids[text]}, {adapter})[0], expected) < 5e-5);
      }
    }
  }
}

TEST_CASE("adapters: beside quantized weights as good as the weights are", "[every_type]") {
  for (const std::string& name : apart()) {
    const auto golden = adapter_golden(name);
    const auto ids = golden_ids(golden)[1];
    const auto expected = golden.at("states").at(1).get<std::vector<float>>();
    const ScratchFolder scratch;
    for (const char* type : {"q8", "q8_0", "f16", "q4"}) {
      const SharedModel model = load_model(convert_to(scratch, type, base_of(name)));
      INFO(name << " beside " << type);
      const double with = cosine(states_of(*model, {ids}, {Adapter::load(model, adapter_folder(name))})[0], expected);
      CHECK(with > (std::string(type) == "q4" ? 0.8 : 0.98));
      CHECK(with > cosine(states_of(*model, {ids}, {nullptr})[0], expected));
    }
  }
}

TEST_CASE("adapters: mixed in a pass, on any number of threads, to the bit as alone") {
  for (const auto& [base, names] : std::map<std::string, std::vector<std::string>>{
           {"bert", {"bert", "bert_ffn"}}, {"modernbert", {"modernbert"}}, {"llama", {"llama"}}, {"phi3", {"phi3"}}}) {
    const ScratchFolder scratch;
    const std::string folder = QUERN_TEST_DIR "/golden/models/" + base;
    const auto ids = golden_ids(nlohmann::json::parse(read_text_file(folder + "/golden.json", 1 << 24)));
    for (const char* type : {"f32", "q8", "q4_0"}) {
      const SharedModel model = load_model(convert_to(scratch, type, folder));
      std::vector<SharedAdapter> adapters = {nullptr};
      for (const std::string& name : names) adapters.push_back(Adapter::load(model, adapter_folder(name)));
      std::vector<std::vector<int32_t>> texts;
      std::vector<SharedAdapter> of_text;
      for (int repeated = 0; repeated < 2; ++repeated)
        for (const std::vector<int32_t>& text : ids) {
          if (text.empty()) continue;
          texts.push_back(text);
          of_text.push_back(adapters[(texts.size() + static_cast<size_t>(repeated)) % adapters.size()]);
        }
      Rows alone;
      for (size_t i = 0; i < texts.size(); ++i) alone.push_back(states_of(*model, {texts[i]}, {of_text[i]})[0]);
      for (const int threads : {0, 1, 3}) {
        INFO(base << " as " << type << ", " << threads << " threads");
        CHECK(same_bits(states_of(*model, texts, of_text, threads), alone));
      }
    }
  }
}

TEST_CASE("adapters: the same bits on every ISA that runs here") {
  for (const std::string& name : apart()) {
    const SharedModel model = load_model(base_of(name));
    const SharedAdapter adapter = Adapter::load(model, adapter_folder(name));
    const std::vector<int32_t> ids = golden_ids(adapter_golden(name))[1], types(ids.size());
    const Sequence text{.first = 0, .length = static_cast<int64_t>(ids.size()), .changes = &adapter->changes()};
    Rows all;
    for (const KernelTable* kernels : built_kernels()) {
      if (!kernels->runs_here()) continue;
      HostOps op(*kernels, {});
      all.push_back(values_of(op, forward(*model->model, {op}, {ids, types, {&text, 1}})));
      INFO(name << " on " << kernels->name);
      CHECK(same_bits({all.back()}, {all.front()}));
    }
    CHECK_FALSE(all.empty());
  }
}

TEST_CASE("adapters: what follows a pass with them is as before it") {
  const SharedModel model = load_model(base_of("bert"));
  const SharedAdapter adapter = Adapter::load(model, adapter_folder("bert"));
  const std::vector<std::string_view> texts = {"the quick fox", "robust embeddings", "cosine similarity of sentences"};
  for (const int threads : {1, 2}) {
    Session session(model, threads);
    const size_t width = static_cast<size_t>(session.width({}));
    const auto embed = [&](const std::vector<const LinearChanges*>& changes) {
      EmbedOptions options;
      options.changes = changes;
      std::vector<float> out(width * texts.size());
      EmbedStats stats;
      session.embed(texts, options, out, stats);
      return out;
    };
    const std::vector<float> plain = embed({}), with = embed({&adapter->changes(), nullptr, &adapter->changes()});
    CHECK(embed({}) == plain);
    CHECK(std::equal(with.begin() + static_cast<ptrdiff_t>(width), with.begin() + static_cast<ptrdiff_t>(2 * width),
                     plain.begin() + static_cast<ptrdiff_t>(width)));
    CHECK(difference(std::vector<float>(with.begin(), with.begin() + static_cast<ptrdiff_t>(width)),
                     std::vector<float>(plain.begin(), plain.begin() + static_cast<ptrdiff_t>(width))) > 1e-3);
    EmbedOptions pieces;  // a long text's pieces have the text's adapter
    pieces.long_texts = LongTexts::chunk_mean;
    const std::vector<const LinearChanges*> changes = {nullptr, &adapter->changes()};
    pieces.changes = changes;
    std::string longer;
    for (int i = 0; i < 60; ++i) longer += "cosine similarity of sentences ";
    const std::vector<std::string_view> both = {longer, longer};
    EmbedStats stats;
    std::vector<float> mean(2 * width);
    session.embed(both, pieces, mean, stats);
    CHECK(stats.chunked == 2);
    CHECK(!std::equal(mean.begin(), mean.begin() + static_cast<ptrdiff_t>(width),
                      mean.begin() + static_cast<ptrdiff_t>(width)));
  }
}

TEST_CASE("adapters: texts of requests with different ones are run together") {
  const SharedModel model = load_model(base_of("bert"));
  const SharedAdapter first = Adapter::load(model, adapter_folder("bert")),
                      second = Adapter::load(model, adapter_folder("bert_ffn"));
  Session session(model, 2);
  std::vector<TextInput> inputs;
  for (const auto& adapter : {first, second, SharedAdapter(), first}) inputs.push_back({"the quick fox", {}, adapter});
  TextWork work;
  work.wanted.dense = true;
  std::vector<const TextInput*> all;
  for (const TextInput& input : inputs) all.push_back(&input);
  std::vector<TextResult> together(all.size());
  run_texts(session, work, all, together);
  for (size_t i = 0; i < all.size(); ++i) {
    TextResult alone;
    run_texts(session, work, {&all[i], 1}, {&alone, 1});
    CHECK(alone.encoded.dense == together[i].encoded.dense);
  }
  CHECK(together[0].encoded.dense == together[3].encoded.dense);
  CHECK(together[0].encoded.dense != together[1].encoded.dense);
  CHECK(together[0].encoded.dense != together[2].encoded.dense);
}

TEST_CASE("adapters: sequences with different ones in one generator") {
  const auto golden = adapter_golden("llama");
  const SharedModel model = load_model(base_of("llama"));
  const SharedAdapter adapter = Adapter::load(model, adapter_folder("llama")),
                      again = Adapter::load(model, adapter_folder("llama"));
  CHECK(adapter->fingerprint() == again->fingerprint());
  CHECK(adapter->number() != again->number());
  const ScratchFolder scratch;
  const auto merged = load_model(merge_to(scratch, "f32", base_of("llama"), {{adapter_folder("llama")}}));
  Generator of_merged(std::shared_ptr<const LoadedModel>(load_model(merged->path)), {.threads = 1, .context = 256});
  Generator shared(model, {.threads = 2, .context = 256, .sequences = 4});
  const auto ids = golden_ids(golden)[1];
  const std::vector<int32_t> plain = greedy(shared, ids, nullptr), with = greedy(shared, ids, adapter);
  CHECK(with == greedy(of_merged, ids, nullptr));
  CHECK(with != plain);
  // Kept prefixes are not taken from another adapter: all of the prompt's whole pages are, of the same one.
  const uint64_t reused = shared.stats().reused_tokens;
  CHECK(reused == 0);
  CHECK(greedy(shared, ids, adapter) == with);
  CHECK(greedy(shared, ids, nullptr) == plain);
  CHECK(greedy(shared, ids, again) == with);
  CHECK(shared.stats().reused_tokens == 2 * ((ids.size() - 1) / kPageTokens * kPageTokens));
  // Side by side.
  std::map<int64_t, std::vector<int32_t>> found;
  std::vector<std::pair<int64_t, const std::vector<int32_t>*>> expected;
  for (const auto& one : {adapter, SharedAdapter(), again, SharedAdapter()}) {
    Request request;
    request.prompt = ids;
    request.max_tokens = 12;
    request.sampling.temperature = 0;
    request.ignore_end = true;
    request.speculate = 2;
    request.adapter = one;
    expected.emplace_back(shared.add(std::move(request)), one ? &with : &plain);
  }
  std::vector<Generated> out;
  while (shared.running() > 0) shared.step(out);
  for (const Generated& g : out) found[g.sequence].push_back(g.token);
  for (const auto& [sequence, tokens] : expected) CHECK(found[sequence] == *tokens);
  Request strange;
  strange.prompt = ids;
  strange.adapter = Adapter::load(load_model(base_of("llama")), adapter_folder("llama"));
  CHECK_THAT(error_of([&] { shared.add(std::move(strange)); }).message, Catch::Contains("another model"));
}

TEST_CASE("adapters: fingerprints, and what should be known") {
  const SharedModel model = load_model(base_of("bert"));
  const SharedAdapter one = Adapter::load(model, adapter_folder("bert")),
                      other = Adapter::load(model, adapter_folder("bert_ffn"));
  CHECK(one->fingerprint().size() == 32);
  CHECK(one->fingerprint() != other->fingerprint());
  CHECK(one->notes().empty());
  const AdapterCopy scaled("bert");
  scaled.edit_config([](nlohmann::json& c) { c["lora_alpha"] = 9; });
  CHECK(Adapter::load(model, scaled.path())->fingerprint() != one->fingerprint());
  const AdapterCopy renamed("bert");
  renamed.edit_config([](nlohmann::json& c) { c["base_model_name_or_path"] = "org/other"; });
  const SharedAdapter noted = Adapter::load(model, renamed.path());
  REQUIRE(noted->notes().size() == 1);
  CHECK_THAT(noted->notes()[0], Catch::Contains("org/other"));
  CHECK(noted->fingerprint() == one->fingerprint());
  const AdapterCopy pooler("bert");  // of which no vector is made
  pooler.edit_weights([](HfTensor& t) {
    if (const size_t at = t.name.find("encoder.layer.0.attention.self.query"); at != std::string::npos)
      t.name.replace(at, 36, "pooler.dense");
  });
  const SharedAdapter pooled = Adapter::load(model, pooler.path());
  REQUIRE(pooled->notes().size() == 1);
  CHECK_THAT(pooled->notes()[0], Catch::Contains("quern does not run: pooler.dense"));
}

TEST_CASE("adapters: what only a conversion applies is refused with the way to it") {
  for (const auto& [name, word] : std::vector<std::pair<std::string, std::string>>{{"bert_all", "bias"},
                                                                                   {"xlm-roberta", "embedding"},
                                                                                   {"mpnet_dora", "use_dora"},
                                                                                   {"llama_head", "of "},
                                                                                   {"qwen2_tied", "embed_tokens"},
                                                                                   {"gemma3_dora", "use_dora"}}) {
    const Error error = error_of([&, &name = name] { Adapter::load(load_model(base_of(name)), adapter_folder(name)); });
    INFO(name);
    CHECK(error.status == Status::unsupported);
    CHECK_THAT(error.message, Catch::Contains("adapter_model.safetensors: tensor 'base_model.model.") &&
                                  Catch::Contains(word) &&
                                  Catch::Contains("quern convert BASE --adapter " + adapter_folder(name)));
  }
  const AdapterCopy head("llama");
  head.edit_weights([](HfTensor& t) {
    if (const size_t at = t.name.find("model.layers.0.mlp.down_proj"); at != std::string::npos)
      t.name.replace(at, 28, "lm_head");
  });
  CHECK_THAT(error_of([&] { Adapter::load(load_model(base_of("llama")), head.path()); }).message,
             Catch::Contains("lm_head is of a layer behind the transformer's"));
  const AdapterBase classifier("bert_class");  // whose pooler is run
  const AdapterCopy pooler("bert");
  pooler.edit_weights([](HfTensor& t) {
    if (const size_t at = t.name.find("encoder.layer.0.attention.self.query"); at != std::string::npos)
      t.name.replace(at, 36, "pooler.dense");
  });
  const ScratchFolder scratch;
  for (const std::string& path : {classifier.path(), convert_to(scratch, "q8", classifier.path())})
    CHECK_THAT(error_of([&] { Adapter::load(load_model(path), pooler.path()); }).message,
               Catch::Contains("pooler.dense is of a layer behind the transformer's"));
}

TEST_CASE("adapters: damaged files are errors that name them") {
  const SharedModel model = load_model(base_of("bert_ffn"));
  const AdapterCopy adapter("bert_ffn");
  for (const std::string name : {"adapter_config.json", "adapter_model.safetensors"}) {
    const std::string whole = read_text_file(adapter.scratch.file(name), 1 << 20);
    const bool weights = name == "adapter_model.safetensors";
    const size_t step = weights ? 97 : 7;
    const auto check = [&](const std::string& bytes, bool broken) {
      adapter.scratch.write(name, bytes);
      const Error error = error_of([&] { Adapter::load(model, adapter.path()); });
      if (error.status == Status::ok && !broken) return;  // what was changed is of no effect
      CHECK_THAT(error.message, Catch::Contains(adapter.path()));
    };
    for (size_t n = 0; n + 2 < whole.size(); n += step) check(whole.substr(0, n), true);
    for (size_t i = 0; i < whole.size(); i += step)
      for (const char flip : {'\x01', '\x20', '\xff'}) {
        std::string bytes = whole;
        bytes[i] = static_cast<char>(bytes[i] ^ flip);
        check(bytes, false);
      }
    adapter.scratch.write(name, whole);
  }
  CHECK(Adapter::load(model, adapter.path())->bytes() > 0);
}

TEST_CASE("adapters: of another model") {
  const ScratchFolder scratch;
  for (const std::string& path : {base_of("bert"), convert_to(scratch, "q8", base_of("bert"))}) {
    const Error error = error_of([&] { Adapter::load(load_model(path), adapter_folder("llama")); });
    CHECK(error.status == Status::bad_file);
    CHECK_THAT(error.message, Catch::Contains("has no layer model.layers.0"));
  }
  CHECK_THAT(error_of([&] { Adapter::load(load_model(tiny_bert()), adapter_folder("bert")); }).message,
             Catch::Contains("of another model"));
}

TEST_CASE("adapters beside a model that derives values from its weights are refused") {
  const auto error =
      error_of([] { Adapter::load(load_model(QUERN_TEST_DIR "/golden/models/deberta"), adapter_folder("bert")); });
  CHECK(error.status == Status::unsupported);
  CHECK_THAT(error.message, Catch::Contains("merge the adapter"));
}

}  // namespace quern::test
