// quern search: the vectors of an index that are nearest to queries, exactly.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "row_texts.h"
#include "texts.h"
#include "value_coder.h"
#include "vector_file.h"

namespace cli {
namespace {

struct SearchArguments {
  std::string model, adapter, index, precision, ranges, rescore, prompt, prompt_name, input_type = "query", pooling;
  TextArguments input;
  RowTextArguments texts;
  int threads = 0;
  size_t top_k = 10, oversample = 4;
  int64_t dimensions = 0, max_length = 0;
  bool has_prompt = false, cosine = false, json = false, quiet = false;
};

quern_embed_options query_options(const SearchArguments& a, const Adapter& adapter) {
  quern_embed_options o = quern_embed_options_default();
  o.adapter = adapter.get();
  o.dimensions = a.dimensions;
  o.max_length = a.max_length;
  if (!a.pooling.empty()) o.pooling = a.pooling.c_str();
  if (a.has_prompt)
    o.prompt = a.prompt.c_str();
  else if (!a.prompt_name.empty())
    o.prompt_name = a.prompt_name.c_str();
  else
    o.input_type = a.input_type.c_str();
  return o;
}

class Search {
 public:
  explicit Search(const SearchArguments& a)
      : a_(a),
        model_(load(a.model)),
        session_(open_session(model_, a.threads)),
        adapter_(load_adapter(model_, a.adapter)),
        options_(query_options(a, adapter_)),
        width_(width_of(session_, options_)),
        index_(a.index, a.precision, a.ranges, width_),
        texts_(a.texts, index_.rows()) {
    if (!a.rescore.empty()) {
      exact_ = std::make_unique<VectorFile>(a.rescore, "f32", "", width_);
      if (exact_->rows() != index_.rows())
        throw Failure{1, "--rescore " + a.rescore + ": expected " + std::to_string(index_.rows()) +
                             " rows, as the index has, found " + std::to_string(exact_->rows())};
    }
  }

  void run() {
    const auto start = std::chrono::steady_clock::now();
    for_each_batch(a_.input, "search for", [&](const TextBatch& batch) { answer(batch); });
    finish_stdout();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (a_.quiet) return;
    print_summary(a_.input, stats_, seconds.count(), quern_session_threads(session_.get()));
    std::fprintf(stderr, "%zu rows of %zu values searched in %.3f s\n", index_.rows(), index_.width(), searched_);
  }

 private:
  static size_t width_of(const Session& session, const quern_embed_options& options) {
    int64_t width = 0;
    check(quern_embed_width(session.get(), &options, &width), 2);
    return static_cast<size_t>(width);
  }

  void answer(const TextBatch& batch) {
    const size_t n = batch.texts.size(), k = std::min(a_.top_k, std::max<size_t>(index_.rows(), 1));
    std::vector<float> queries(n * width_);
    options_.first_text = static_cast<int64_t>(batch.first + 1);
    check(quern_embed(session_.get(), batch.pointers.data(), batch.lengths.data(), n, &options_, queries.data(),
                      queries.size(), &stats_));
    const auto start = std::chrono::steady_clock::now();
    const std::vector<quern_match> matches = nearest(queries, n, k);
    searched_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::vector<int64_t> rows;
    for (const quern_match& m : matches)
      if (m.row >= 0) rows.push_back(m.row);
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    texts_.read(rows);
    if (!a_.json && batch.first == 0) put("   query    score      row  text\n");
    for (size_t q = 0; q < n; ++q)
      a_.json ? print_json(batch.texts[q], &matches[q * k], k) : print_table(batch.first + q, &matches[q * k], k);
  }

  std::vector<quern_match> nearest(const std::vector<float>& queries, size_t n, size_t k) const {
    quern_compare_options o = quern_compare_options_default();
    o.metric = a_.cosine ? QUERN_COSINE : QUERN_DOT;
    o.n_threads = a_.threads;
    if (!exact_) return nearest_rows(index_, queries.data(), n, k, o);
    const size_t more = std::min(index_.rows(), k * a_.oversample);
    const std::vector<quern_match> candidates = nearest_rows(index_, queries.data(), n, more, o);
    std::vector<quern_match> matches;
    for (size_t q = 0; q < n; ++q) {
      const std::vector<quern_match> best = rescored(&queries[q * width_], &candidates[q * more], more, k, o);
      matches.insert(matches.end(), best.begin(), best.end());
    }
    return matches;
  }

  std::vector<quern_match> rescored(const float* query, const quern_match* candidates, size_t n, size_t k,
                                    const quern_compare_options& o) const {
    std::vector<int64_t> rows;
    for (size_t i = 0; i < n; ++i)
      if (candidates[i].row >= 0) rows.push_back(candidates[i].row);
    std::sort(rows.begin(), rows.end());  // so that equal scores go by the row
    std::vector<float> values(rows.size() * width_);
    for (size_t i = 0; i < rows.size(); ++i) exact_->floats(static_cast<size_t>(rows[i]), 1, &values[i * width_]);
    std::vector<quern_match> best(k, quern_match{-1, 0});
    check(quern_top_k(values.data(), QUERN_VALUES_F32, rows.size(), width_, query, 1, &o, k, best.data()));
    for (quern_match& m : best)
      if (m.row >= 0) m.row = rows[static_cast<size_t>(m.row)];
    return best;
  }

  void print_table(size_t query, const quern_match* matches, size_t k) const {
    for (size_t i = 0; i < k && matches[i].row >= 0; ++i) {
      char head[80];
      std::snprintf(head, sizeof head, "%8zu %8.5f %8lld  ", query, static_cast<double>(matches[i].score),
                    static_cast<long long>(matches[i].row));
      put(head + one_line(texts_.text(matches[i].row), 100) + '\n');
    }
  }

  void print_json(const std::string& query, const quern_match* matches, size_t k) const {
    std::string line = "{\"query\":" + json_string(query) + ",\"matches\":[";
    for (size_t i = 0; i < k && matches[i].row >= 0; ++i)
      line += (i ? ",{\"row\":" : "{\"row\":") + std::to_string(matches[i].row) +
              ",\"score\":" + json_number(matches[i].score) + texts_.members(matches[i].row) + '}';
    put(line + "]}\n");
  }

  const SearchArguments& a_;
  const Model model_;
  const Session session_;
  const Adapter adapter_;
  quern_embed_options options_;
  const size_t width_;
  const VectorFile index_;
  RowTexts texts_;
  std::unique_ptr<VectorFile> exact_;
  quern_embed_stats stats_{};
  double searched_ = 0;
};

}  // namespace

void add_search(CLI::App& app) {
  auto a = std::make_shared<SearchArguments>();
  CLI::App* c = app.add_subcommand("search", "find the vectors of quern embed that are nearest to queries, exactly");
  add_model_option(*c, a->model);
  add_adapter_option(*c, a->adapter);
  c->add_option("--index", a->index, "vectors of quern embed, by the same model: .npy of any --precision, or .jsonl")
      ->required()
      ->type_name("FILE");
  c->add_option("-q,--query", a->input.texts, "a query; may be repeated; comes before those of -f")
      ->type_name("TEXT")
      ->take_all()
      ->allow_extra_args(false);
  add_text_arguments(*c, a->input);
  c->add_option("-k,--top-k", a->top_k, "rows for each query (default: 10)")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000));
  add_row_text_options(*c, a->texts);
  c->add_option("--precision", a->precision, "what the index holds (default: by its type and width)")
      ->type_name("NAME")
      ->check(CLI::IsMember(precisions()));
  c->add_option("--ranges", a->ranges, "for int8 and uint8: the .npy that was given to quern embed as --ranges")
      ->type_name("FILE");
  c->add_option("--rescore", a->rescore, "the same vectors as f32: the best rows of the index are compared by these")
      ->type_name("FILE");
  c->add_option("--oversample", a->oversample, "with --rescore: N times as many rows of the index (default: 4)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
  c->add_flag("--cosine", a->cosine, "divide by both vectors' lengths (default: the dot product)");
  CLI::Option* prompt = c->add_option("--prompt", a->prompt, "put TEXT before every query")->type_name("TEXT");
  CLI::Option* name = c->add_option("--prompt-name", a->prompt_name, "one of the model's prompts, for queries")
                          ->type_name("NAME")
                          ->excludes(prompt);
  c->add_option("--input-type", a->input_type, "query or document: the model's prompt for such texts (default: query)")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"query", "document"}))
      ->excludes(prompt)
      ->excludes(name);
  c->add_option("--pooling", a->pooling, "in place of the model's, as quern embed had it")->type_name("MODE");
  c->add_option("--dimensions", a->dimensions, "keep the first N values of a query's vector, as quern embed did")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  c->add_option("--max-length", a->max_length, "tokens of a query, special ones included (default: the model's)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  c->add_flag("--json", a->json, "a line for each query: {\"query\", \"matches\": [{\"row\", \"score\", ...}]}");
  add_threads_option(*c, a->threads);
  add_machine_options(*c);
  c->add_flag("--quiet", a->quiet, "no summary on stderr");
  c->callback([a, prompt] {
    a->has_prompt = prompt->count() > 0;
    require_texts(a->input, "search for");
    Search(*a).run();
  });
}

}  // namespace cli
