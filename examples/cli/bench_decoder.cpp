// quern bench of decoders: tokens per second of prompts and of generating, the latter beside what the memory gives.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "bench.h"
#include "generation.h"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

// Random ids, the same in every run.
std::vector<int32_t> ids(int n, int64_t vocabulary, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<int32_t> all;
  for (int i = 0; i < n; ++i) all.push_back(static_cast<int32_t>(random() % static_cast<uint64_t>(vocabulary)));
  return all;
}

struct Decoder {
  const BenchArguments& a;
  const Model& model;
  int64_t vocabulary;

  Generator open(int context, int sequences, bool reuse) const {
    quern_generator_options options = quern_generator_options_default();
    options.n_threads = a.threads;
    options.context = context;
    options.sequences = sequences;
    options.kv_type = a.kv_type.c_str();
    options.reuse_prefixes = reuse;
    quern_generator* generator = nullptr;
    check(quern_generator_new(model.get(), &options, &generator), 2);
    return Generator(generator);
  }

  // What passes took, and how many tokens of prompts they read that were not kept already.
  struct Run {
    double prompt_seconds, generation_seconds, tokens;
  };

  // Sequences of `prompt` tokens that generate `n` more. Those of every run have their first `depth` tokens in common
  // and no others.
  Run run(const Generator& generator, int prompt, int n, int batch, unsigned turn = 0) const {
    quern_generation_options options = quern_generation_options_default();
    options.max_tokens = n;
    options.temperature = 0;
    options.ignore_end = 1;
    quern_generator_stats before, after;
    check(quern_generator_stats_of(generator.get(), &before));
    for (int i = 0; i < batch; ++i) {
      std::vector<int32_t> tokens = ids(std::min(prompt, a.depth), vocabulary, static_cast<unsigned>(i));
      const std::vector<int32_t> own =
          ids(prompt - static_cast<int>(tokens.size()), vocabulary, 1000 * turn + static_cast<unsigned>(i));
      tokens.insert(tokens.end(), own.begin(), own.end());
      int64_t sequence = 0;
      check(quern_generator_add(generator.get(), tokens.data(), tokens.size(), &options, &sequence), 2);
    }
    size_t running = 1;
    while (running > 0) check(quern_generator_step(generator.get(), nullptr, nullptr, &running));
    check(quern_generator_stats_of(generator.get(), &after));
    const uint64_t read = after.prompt_tokens - before.prompt_tokens - (after.reused_tokens - before.reused_tokens);
    return {after.prompt_seconds - before.prompt_seconds, after.generation_seconds - before.generation_seconds,
            static_cast<double>(read)};
  }

  Json row(int prompt, int n, int batch, double seconds, double tokens) const {
    return {{"model", a.model},
            {"n_prompt", prompt},
            {"n_gen", n},
            {"depth", a.depth},
            {"batch", batch},
            {"kv_type", a.kv_type},
            {"threads", a.threads > 0 ? a.threads : quern_usable_cpus()},
            {"isa", quern_isa()},
            {"backend", quern_backend()},
            {"cpu", quern_cpu()},
            {"tokens_per_second", tokens / seconds},
            {"milliseconds", seconds * 1e3}};
  }

  // Prompts behind `depth` tokens that are kept.
  Json read_prompts(int prompt, int batch) const {
    const int whole = a.depth + prompt;
    const Generator generator = open(whole + 1, batch, a.depth > 0);
    run(generator, whole, 1, batch);  // warm: pages, caches, arenas
    std::vector<double> each;         // token's seconds
    for (int r = 0; r < a.repetitions; ++r) {
      const Run one = run(generator, whole, 1, batch, static_cast<unsigned>(r + 1));
      each.push_back(one.prompt_seconds / one.tokens);
    }
    const double tokens = static_cast<double>(prompt) * batch;
    return row(prompt, 0, batch, median(each) * tokens, tokens);
  }

  Json generate(int n, int batch) const {
    const int prompt = a.depth + 2;  // of two tokens, so that no pass of the prompt counts as generating
    const Generator generator = open(prompt + n + 1, batch, false);
    run(generator, prompt, 2, batch);
    std::vector<double> seconds, bandwidths;
    for (int r = 0; r < a.repetitions; ++r) {
      double bandwidth = 0;
      check(quern_generator_bandwidth(generator.get(), 0.1, &bandwidth));
      bandwidths.push_back(bandwidth);
      seconds.push_back(run(generator, prompt, n + 1, batch).generation_seconds);
    }
    uint64_t weights = 0;
    check(quern_model_token_bytes(model.get(), &weights, nullptr));
    const double kept = static_cast<double>(quern_generator_kv_bytes(generator.get())) /
                        static_cast<double>(quern_generator_kv_tokens(generator.get()));
    Json result = row(0, n, batch, median(seconds), static_cast<double>(n) * batch);
    const double passes = n / median(seconds);
    const double bytes = static_cast<double>(weights) + kept * batch * (a.depth + n / 2.0);
    result["weight_megabytes"] = static_cast<double>(weights) / 1e6;
    result["gigabytes_per_second"] = passes * bytes / 1e9;
    result["memory_gigabytes_per_second"] = median(bandwidths) / 1e9;
    result["fraction_of_memory"] = passes * bytes / median(bandwidths);
    return result;
  }
};

void print_row(const Json& r, bool first) {
  if (first) {
    std::printf("%s, %s, %s, %d threads, %s\n", r["model"].get<std::string>().c_str(),
                r["isa"].get<std::string>().c_str(), r["backend"].get<std::string>().c_str(), r["threads"].get<int>(),
                r["cpu"].get<std::string>().c_str());
    std::printf("%8s %6s %6s %6s %12s %12s %10s %14s\n", "n_prompt", "n_gen", "depth", "batch", "ms", "tokens/s",
                "GB/s", "of the memory");
  }
  std::printf("%8d %6d %6d %6d %12.2f %12.1f", r["n_prompt"].get<int>(), r["n_gen"].get<int>(), r["depth"].get<int>(),
              r["batch"].get<int>(), r["milliseconds"].get<double>(), r["tokens_per_second"].get<double>());
  if (r.contains("fraction_of_memory"))
    std::printf(" %10.1f %13.0f%%", r["gigabytes_per_second"].get<double>(),
                r["fraction_of_memory"].get<double>() * 100);
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

void bench_decoder(const BenchArguments& a, const Model& model) {
  char* text = nullptr;
  check(quern_model_describe(model.get(), &text));
  const StringHandle owned(text);
  const Decoder decoder{a, model, nlohmann::json::parse(text).at("vocabulary").get<int64_t>()};
  const std::vector<int> prompts = a.prompts.empty() ? std::vector<int>{512} : a.prompts;
  const std::vector<int> generated = a.generated.empty() ? std::vector<int>{64} : a.generated;
  const std::vector<int> batches = a.batches.empty() ? std::vector<int>{1} : a.batches;
  Json rows = Json::array();
  const auto add = [&](Json row) {
    rows.push_back(std::move(row));
    if (a.format != "json") print_row(rows.back(), rows.size() == 1);
  };
  for (const int batch : batches) {
    for (const int n : prompts)
      if (n > 0) add(decoder.read_prompts(n, batch));
    for (const int n : generated)
      if (n > 0) add(decoder.generate(n, batch));
  }
  if (a.format == "json") std::printf("%s\n", rows.dump(1).c_str());
}

}  // namespace cli
