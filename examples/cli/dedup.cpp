// quern dedup: rows of an index that are nearly the same as an earlier one.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "progress.h"
#include "row_texts.h"
#include "value_coder.h"
#include "vector_file.h"

namespace cli {
namespace {

constexpr size_t kBlockRows = 512;     // rows that are compared with all earlier ones at once
constexpr size_t kEarlierRows = 4096;  // of those

struct DedupArguments {
  std::string index, precision, ranges;
  RowTextArguments texts;
  double threshold = 0;
  int threads = 0;
  bool kept = false, quiet = false;
};

// A row goes when its cosine with an earlier row that stays is the threshold or more; it is told with the nearest such
// row.
class Dedup {
 public:
  explicit Dedup(const DedupArguments& a)
      : a_(a), index_(a.index, a.precision, a.ranges, 0), threshold_(static_cast<float>(a.threshold)) {
    options_ = quern_compare_options_default();
    options_.metric = QUERN_COSINE;
    options_.n_threads = a.threads;
    options_.ranges = index_.ranges();
    of_.assign(index_.rows(), quern_match{-1, 0});
  }

  void run() {
    RowTexts texts(a_.texts, index_.rows());
    Progress progress(!a_.quiet);
    const size_t rows = index_.rows();
    for (size_t first = 0; first < rows; first += kBlockRows) {
      block(first, std::min(kBlockRows, rows - first));
      if (progress.due()) {
        const double done = static_cast<double>(first) / static_cast<double>(rows);
        progress.show(done * done, std::to_string(first) + " of " + std::to_string(rows) + " rows");
      }
    }
    progress.clear();
    print(texts);
    finish_stdout();
    const auto gone = std::count_if(of_.begin(), of_.end(), [](const quern_match& m) { return m.row >= 0; });
    if (!a_.quiet)
      std::fprintf(stderr, "%zu rows, %zu stay, %zu are like an earlier one\n", rows, rows - static_cast<size_t>(gone),
                   static_cast<size_t>(gone));
  }

 private:
  void block(size_t first, size_t n) {
    std::vector<float> queries(n * index_.width());
    index_.floats(first, n, queries.data());
    for (size_t part = 0; part < first; part += kEarlierRows) {
      const size_t m = std::min(kEarlierRows, first - part);
      compare(queries, n, part, m);
      for (size_t q = 0; q < n; ++q) take(first + q, &scores_[q * m], part, m);
    }
    compare(queries, n, first, n);
    for (size_t q = 0; q < n; ++q) take(first + q, &scores_[q * n], first, q);
  }

  void compare(const std::vector<float>& queries, size_t n, size_t first, size_t m) {
    scores_.resize(n * m);
    check(quern_similarities(index_.row(first), index_.type(), m, index_.width(), queries.data(), n, &options_,
                             scores_.data(), scores_.size()));
  }

  // Of m rows, all before `row`, of which it is known whether they stay.
  void take(size_t row, const float* scores, size_t first, size_t m) {
    quern_match& best = of_[row];
    for (size_t i = 0; i < m; ++i)
      if (scores[i] >= threshold_ && of_[first + i].row < 0 && (best.row < 0 || scores[i] > best.score))
        best = {static_cast<int64_t>(first + i), scores[i]};
  }

  void print(RowTexts& texts) const {
    constexpr size_t kAtOnce = 1 << 20;  // of which the texts are held
    std::vector<int64_t> rows;
    for (size_t i = 0; i < of_.size(); ++i) {
      if ((of_[i].row < 0) == a_.kept) rows.push_back(static_cast<int64_t>(i));
      if (rows.size() < kAtOnce && i + 1 < of_.size()) continue;
      texts.read(rows);
      for (const int64_t row : rows) {
        const quern_match& m = of_[static_cast<size_t>(row)];
        put("{\"row\":" + std::to_string(row) +
            (a_.kept ? "" : ",\"of\":" + std::to_string(m.row) + ",\"score\":" + json_number(m.score)) +
            texts.members(row) + "}\n");
      }
      rows.clear();
    }
  }

  const DedupArguments& a_;
  const VectorFile index_;
  const float threshold_;
  quern_compare_options options_;
  std::vector<quern_match> of_;  // the row that each is like; -1: it stays
  std::vector<float> scores_;
};

}  // namespace

void add_dedup(CLI::App& app) {
  auto a = std::make_shared<DedupArguments>();
  CLI::App* c = app.add_subcommand("dedup", "find texts that are nearly the same as earlier ones, by their vectors");
  c->add_option("--index", a->index, "vectors of quern embed: .npy of any --precision, or .jsonl")
      ->required()
      ->type_name("FILE");
  c->add_option("--threshold", a->threshold,
                "a row goes when its cosine with an earlier one that stays is this or more")
      ->required()
      ->type_name("T")
      ->check(CLI::Range(-1.0, 1.0));
  c->add_flag("--kept", a->kept, "list the rows that stay, not those that go");
  add_row_text_options(*c, a->texts);
  c->add_option("--precision", a->precision, "what the index holds, where it is bits: binary or ubinary")
      ->type_name("NAME")
      ->check(CLI::IsMember(precisions()));
  c->add_option("--ranges", a->ranges, "for int8 and uint8: the .npy that was given to quern embed as --ranges")
      ->type_name("FILE");
  add_threads_option(*c, a->threads);
  add_machine_options(*c);
  c->add_flag("--quiet", a->quiet, "neither progress nor summary on stderr");
  c->callback([a] { Dedup(*a).run(); });
}

}  // namespace cli
