// quern rerank: texts by how well they answer a query.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "texts.h"

namespace cli {
namespace {

struct RerankArguments {
  std::string model, adapter, query, instruction, prompt_name;
  TextArguments input;
  int threads = 0;
  size_t top_n = 0;
  int64_t max_length = 0;
  bool json = false, raw = false, no_truncate = false, quiet = false;
};

struct Ranked {
  size_t index;
  float score;
  std::string text;
};

// The n best in order, of equal ones the first: with --top-n, the rest of the texts is not held.
void keep_best(std::vector<Ranked>& ranked, size_t n) {
  std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& x, const Ranked& y) { return x.score > y.score; });
  if (ranked.size() > n) ranked.erase(ranked.begin() + static_cast<std::ptrdiff_t>(n), ranked.end());
}

void print_table(const std::vector<Ranked>& ranked) {
  put("    score    index  text\n");
  for (const Ranked& r : ranked) {
    char head[64];
    std::snprintf(head, sizeof head, "%9.5g %8zu  ", static_cast<double>(r.score), r.index);
    put(head + one_line(r.text, 100) + '\n');
  }
}

void print_json(const std::vector<Ranked>& ranked) {
  std::string line = "[";
  for (const Ranked& r : ranked)
    line += (line.size() > 1 ? ",\n {\"index\":" : "{\"index\":") + std::to_string(r.index) +
            ",\"score\":" + json_number(r.score) + ",\"text\":" + json_string(r.text) + '}';
  put(line + "]\n");
}

void rerank(const RerankArguments& a) {
  const auto start = std::chrono::steady_clock::now();
  const Model model = load(a.model);
  const Session session = open_session(model, a.threads);
  const Adapter adapter = load_adapter(model, a.adapter);
  quern_classify_options options = quern_classify_options_default();
  options.adapter = adapter.get();
  options.raw = a.raw;
  options.prompt = a.instruction.empty() ? nullptr : a.instruction.c_str();
  options.prompt_name = a.prompt_name.empty() ? nullptr : a.prompt_name.c_str();
  options.max_length = a.max_length;
  options.long_texts = a.no_truncate ? QUERN_LONG_ERROR : QUERN_LONG_TRUNCATE;
  std::vector<Ranked> ranked;
  std::vector<float> scores;
  quern_embed_stats stats{};
  for_each_batch(a.input, "rerank", [&](const TextBatch& batch) {
    scores.resize(batch.texts.size());
    options.first_text = static_cast<int64_t>(batch.first + 1);
    check(quern_rerank(session.get(), a.query.data(), a.query.size(), batch.pointers.data(), batch.lengths.data(),
                       batch.texts.size(), &options, scores.data(), &stats));
    for (size_t i = 0; i < scores.size(); ++i) ranked.push_back({batch.first + i, scores[i], batch.texts[i]});
    if (a.top_n > 0 && ranked.size() / 2 > a.top_n) keep_best(ranked, a.top_n);
  });
  keep_best(ranked, a.top_n > 0 ? a.top_n : ranked.size());
  a.json ? print_json(ranked) : print_table(ranked);
  finish_stdout();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (!a.quiet) print_summary(a.input, stats, seconds.count(), quern_session_threads(session.get()));
}

}  // namespace

void add_rerank(CLI::App& app) {
  auto a = std::make_shared<RerankArguments>();
  CLI::App* c =
      app.add_subcommand("rerank", "sort texts by how well they answer a query (rerankers, late interaction)");
  add_model_option(*c, a->model);
  add_adapter_option(*c, a->adapter);
  c->add_option("-q,--query", a->query, "the query")->required()->type_name("TEXT");
  c->add_option("--instruction", a->instruction,
                "what to look for, for models that are told (Qwen3-Reranker); others get it before the query")
      ->type_name("TEXT");
  c->add_option("--prompt-name", a->prompt_name, "one of the model's prompts in its place (default: the model's)")
      ->type_name("NAME")
      ->excludes("--instruction");
  add_text_arguments(*c, a->input);
  c->add_option("--top-n", a->top_n, "only the best N")->type_name("N")->check(CLI::PositiveNumber);
  c->add_flag("--json", a->json, "an array of {\"index\", \"score\", \"text\"}; index counts the texts from 0");
  c->add_flag("--raw", a->raw, "scores as the model's last layer gives them, without its activation");
  c->add_option("--max-length", a->max_length, "tokens of query and text together (default: the model's)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  c->add_flag("--no-truncate", a->no_truncate, "a longer pair is an error; by default it is cut and counted");
  add_threads_option(*c, a->threads);
  add_machine_options(*c);
  c->add_flag("--quiet", a->quiet, "no summary on stderr");
  c->callback([a] { rerank(*a); });
}

}  // namespace cli
