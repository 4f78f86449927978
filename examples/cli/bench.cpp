// quern bench: tokens per second of a model, beside the machine's limits: of encoders at given lengths and batches, of
// decoders in bench_decoder.cpp.
#include "bench.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

namespace cli {
namespace {

// `batch` texts of `length` random ids each, the same in every run.
struct Texts {
  Texts(int batch, int length, int64_t vocabulary) : ids(static_cast<size_t>(batch)) {
    std::mt19937 random(static_cast<unsigned>(batch * 10007 + length));
    for (auto& text : ids) {
      for (int i = 0; i < length; ++i)
        text.push_back(static_cast<int32_t>(random() % static_cast<uint64_t>(vocabulary)));
      pointers.push_back(text.data());
      lengths.push_back(text.size());
    }
  }
  std::vector<std::vector<int32_t>> ids;
  std::vector<const int32_t*> pointers;
  std::vector<size_t> lengths;
};

struct Timing {
  double seconds, limit;  // medians over the repetitions
};

// Each repetition runs the batch for at least a tenth of a second, and the limit's loop right before it.
Timing measure(quern_session* session, const Texts& texts, int64_t width, int repetitions) {
  std::vector<float> out(texts.pointers.size() * static_cast<size_t>(width));
  quern_embed_options options = quern_embed_options_default();
  options.max_length = static_cast<int64_t>(texts.lengths[0]);
  const auto run = [&] {
    check(quern_embed_ids(session, texts.pointers.data(), texts.lengths.data(), texts.pointers.size(), &options,
                          out.data(), out.size(), nullptr));
  };
  run();  // warm: pages, caches, arenas
  std::vector<double> seconds, limits;
  for (int r = 0; r < repetitions; ++r) {
    double limit = 0;
    check(quern_session_limit(session, 0.05, &limit));
    limits.push_back(limit);
    int runs = 0;
    const double start = now();
    do {
      run();
      ++runs;
    } while (now() - start < 0.1);
    seconds.push_back((now() - start) / runs);
  }
  return {median(seconds), median(limits)};
}

nlohmann::ordered_json row(const BenchArguments& a, quern_model* model, quern_session* session,
                           const nlohmann::json& facts, int length, int batch) {
  int64_t width = 0;
  check(quern_embed_width(session, nullptr, &width), 2);
  const Texts texts(batch, length, facts.at("vocabulary"));
  const Timing t = measure(session, texts, width, a.repetitions);
  double products = 0, attention = 0;
  check(quern_model_macs(model, length, &products, &attention));
  const double tokens = static_cast<double>(length) * batch;
  const double macs = (products + attention) * batch;
  return {{"model", a.model},
          {"type", facts.at("type")},
          {"n_prompt", length},
          {"n_gen", 0},
          {"batch", batch},
          {"threads", quern_session_threads(session)},
          {"isa", quern_isa()},
          {"backend", quern_backend()},
          {"cpu", quern_cpu()},
          {"tokens_per_second", tokens / t.seconds},
          {"texts_per_second", batch / t.seconds},
          {"milliseconds", t.seconds * 1e3},
          {"gmacs_per_second", macs / t.seconds / 1e9},
          {"int8_limit_gmacs_per_second", t.limit / 1e9},
          {"fraction_of_int8_limit", macs / t.seconds / t.limit}};
}

void print_head(const nlohmann::ordered_json& r) {
  std::printf("%s (%s), %s, %s, %d threads, %s\n", r["model"].get<std::string>().c_str(),
              r["type"].get<std::string>().c_str(), r["isa"].get<std::string>().c_str(),
              r["backend"].get<std::string>().c_str(), r["threads"].get<int>(), r["cpu"].get<std::string>().c_str());
  std::printf("%8s %6s %12s %12s %12s %10s %14s\n", "n_prompt", "batch", "ms", "texts/s", "tokens/s", "GMAC/s",
              "of int8 limit");
}

void print_row(const nlohmann::ordered_json& r) {
  std::printf("%8d %6d %12.3f %12.1f %12.0f %10.1f %13.0f%%\n", r["n_prompt"].get<int>(), r["batch"].get<int>(),
              r["milliseconds"].get<double>(), r["texts_per_second"].get<double>(),
              r["tokens_per_second"].get<double>(), r["gmacs_per_second"].get<double>(),
              r["fraction_of_int8_limit"].get<double>() * 100);
  std::fflush(stdout);
}

void bench(BenchArguments& a) {
  const Model model = load(a.model);
  if (quern_model_outputs(model.get()) & QUERN_TEXT) return bench_decoder(a, model);
  if (!a.generated.empty()) throw Failure{2, "-n: " + a.model + " generates no text"};
  char* text = nullptr;
  check(quern_model_describe(model.get(), &text));
  const StringHandle owned(text);
  const nlohmann::json facts = nlohmann::json::parse(text);
  if (a.prompts.empty()) a.prompts = {16, 128, 512};
  if (a.batches.empty()) a.batches = {1, 32};
  for (const int length : a.prompts)
    if (length == 0) throw Failure{2, "-p: expected 1 token or more, found 0"};
  for (const int length : a.prompts)
    if (length > facts.at("positions").get<int64_t>())
      throw Failure{2, "-p " + std::to_string(length) + ": the model takes at most " +
                           std::to_string(facts.at("positions").get<int64_t>()) + " tokens"};
  const Session session = open_session(model, a.threads);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const int length : a.prompts) {
    for (const int batch : a.batches) {
      rows.push_back(row(a, model.get(), session.get(), facts, length, batch));
      if (a.format == "json") continue;
      if (rows.size() == 1) print_head(rows[0]);
      print_row(rows.back());
    }
  }
  if (a.format == "json") std::printf("%s\n", rows.dump(1).c_str());
}

}  // namespace

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<long>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

void add_bench(CLI::App& app) {
  auto a = std::make_shared<BenchArguments>();
  CLI::App* c = app.add_subcommand("bench", "measure tokens per second, beside the machine's limits");
  add_model_option(*c, a->model);
  c->add_option("-p,--n-prompt", a->prompts, "tokens of each text (default: 16,128,512; decoders: 512)")
      ->type_name("N,…")
      ->delimiter(',')
      ->check(CLI::Range(0, 1 << 20));
  c->add_option("-n,--n-gen", a->generated, "tokens to generate, by decoders (default: 64)")
      ->type_name("N,…")
      ->delimiter(',')
      ->check(CLI::Range(0, 1 << 20));
  c->add_option("-d,--depth", a->depth, "tokens of a decoder's cache that come before what is measured (default: 0)")
      ->type_name("N")
      ->check(CLI::Range(0, 1 << 20));
  add_kv_type_option(*c, a->kv_type, "how decoders keep keys and values");
  c->add_option("-b,--batch", a->batches,
                "texts at once (default: 1,32; decoders: 1); one text is split over the threads")
      ->type_name("N,…")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096));
  add_threads_option(*c, a->threads);
  c->add_option("-r,--repetitions", a->repetitions, "runs whose median counts (default: 5)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
  c->add_option("-o,--output", a->format, "table or json (an array of one object per row)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"table", "json"}));
  add_machine_options(*c);
  c->callback([a] { bench(*a); });
}

}  // namespace cli
