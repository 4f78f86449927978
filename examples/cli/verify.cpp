// quern verify: what a model's outputs lost against a reference, on the user's own texts.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "model_names.h"
#include "texts.h"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kNeighbours = 10, kMostNeighbourTexts = 4000, kShown = 5;

struct VerifyArguments {
  std::string model, reference, query;
  TextArguments input;
  int threads = 0;
  double min_cosine = -2;
  double max_delta = -1;
  bool json = false;
};

// One model's outputs for all texts, in memory.
class Side {
 public:
  Side(Model model, int threads) : model_(std::move(model)), session_(open_session(model_, threads)) {}

  unsigned outputs() const { return quern_model_outputs(model_.get()); }
  int64_t labels() const { return quern_model_labels(model_.get()); }

  void embed(const TextBatch& batch) {
    int64_t width = 0;
    check(quern_embed_width(session_.get(), nullptr, &width));
    width_ = static_cast<size_t>(width);
    const size_t old = values.size();
    values.resize(old + batch.texts.size() * width_);
    check(quern_embed(session_.get(), batch.pointers.data(), batch.lengths.data(), batch.texts.size(), nullptr,
                      values.data() + old, values.size() - old, nullptr));
  }

  void score(const TextBatch& batch, const std::string& query) {
    width_ = static_cast<size_t>(labels());
    const size_t old = values.size(), n = batch.texts.size();
    values.resize(old + n * width_);
    quern_classify_options options = quern_classify_options_default();
    options.raw = 1;
    const std::vector<const char*> queries(n, query.data());
    const std::vector<size_t> lengths(n, query.size());
    const bool pairs = !query.empty();
    check(quern_classify(session_.get(), pairs ? queries.data() : batch.pointers.data(),
                         pairs ? lengths.data() : batch.lengths.data(), pairs ? batch.pointers.data() : nullptr,
                         batch.lengths.data(), n, &options, values.data() + old, values.size() - old, nullptr));
  }

  std::vector<int32_t> tokens(const std::string& text) const {
    std::vector<int32_t> ids(text.size() * 4 + 64);
    size_t n = 0;
    check(quern_tokenize(model_.get(), text.data(), text.size(), nullptr, ids.data(), ids.size(), &n));
    ids.resize(n);
    return ids;
  }

  const float* row(size_t i) const { return values.data() + i * width_; }
  size_t width() const { return width_; }

  std::vector<float> values;

 private:
  Model model_;
  Session session_;
  size_t width_ = 0;
};

double cosine(const float* a, const float* b, size_t n) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < n; ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    ab += x * y, aa += x * x, bb += y * y;
  }
  if (aa == 0 && bb == 0) return 1;
  const double found = ab / std::sqrt(aa * bb);
  return std::isfinite(found) ? found : 0;
}

// What is no number moved further than any limit.
double moved(float from, float to) {
  const double delta = std::fabs(static_cast<double>(from) - static_cast<double>(to));
  return from == to ? 0 : std::isfinite(delta) ? delta : std::numeric_limits<double>::infinity();
}

// The kNeighbours nearest of the chosen texts to chosen[i], itself left out.
std::vector<size_t> neighbours(const Side& side, const std::vector<size_t>& chosen, size_t i) {
  std::vector<std::pair<double, size_t>> all;
  for (size_t j = 0; j < chosen.size(); ++j)
    if (j != i) all.emplace_back(-cosine(side.row(chosen[i]), side.row(chosen[j]), side.width()), j);
  const size_t n = std::min(kNeighbours, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(n), all.end());
  std::vector<size_t> nearest;
  for (size_t k = 0; k < n; ++k) nearest.push_back(all[k].second);
  std::sort(nearest.begin(), nearest.end());
  return nearest;
}

class Verification {
 public:
  explicit Verification(const VerifyArguments& a)
      : a_(a), model_(load(a.model), a.threads), reference_(load_source(a.reference), a.threads) {}

  void run() {
    const unsigned both = model_.outputs() & reference_.outputs();
    const bool vectors = (both & QUERN_DENSE) != 0, scores = !vectors && (both & QUERN_LABELS);
    if (!vectors && !scores)
      throw Failure{2, "verify: compares vectors or label scores, and these two models do not both make them"};
    if (scores && model_.labels() != reference_.labels())
      throw Failure{2, "verify: the models have " + std::to_string(model_.labels()) + " and " +
                           std::to_string(reference_.labels()) + " labels"};
    for_each_batch(a_.input, "verify", [&](const TextBatch& batch) {
      for (Side* side : {&model_, &reference_}) vectors ? side->embed(batch) : side->score(batch, a_.query);
      for (const std::string& text : batch.texts) add_tokens(text);
    });
    if (texts_.empty()) throw Failure{2, "verify: there are no texts"};
    if (model_.width() != reference_.width())
      throw Failure{2, "verify: vectors of " + std::to_string(model_.width()) + " and of " +
                           std::to_string(reference_.width()) + " values"};
    report_["texts"] = texts_.size();
    report_["texts_whose_tokens_differ"] = differing_.size();
    vectors ? compare_vectors() : compare_scores();
    a_.json ? put(report_.dump(1, ' ', false, Json::error_handler_t::replace) + "\n") : print();
    finish_stdout();
    if (!verdict_.empty()) throw Failure{1, verdict_};
  }

 private:
  void add_tokens(const std::string& text) {
    if (model_.tokens(text) != reference_.tokens(text)) differing_.push_back(texts_.size());
    texts_.push_back(text);
  }

  // Texts by what was measured of each, the worst first.
  Json worst_of(const std::vector<double>& badness, const char* name, const std::vector<double>& shown) const {
    std::vector<size_t> order(badness.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) { return badness[x] > badness[y]; });
    Json list = Json::array();
    for (size_t k = 0; k < std::min(kShown, order.size()); ++k)
      list.push_back({{name, shown[order[k]]}, {"index", order[k]}, {"text", texts_[order[k]]}});
    return list;
  }

  void compare_vectors() {
    std::vector<double> cosines, badness;
    for (size_t i = 0; i < texts_.size(); ++i) {
      cosines.push_back(cosine(model_.row(i), reference_.row(i), model_.width()));
      badness.push_back(-cosines.back());
    }
    std::vector<double> sorted = cosines;
    std::sort(sorted.begin(), sorted.end());
    report_["cosine"] = {
        {"mean", std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(sorted.size())},
        {"percentile_1", sorted[(sorted.size() - 1) / 100]},
        {"worst", sorted[0]}};
    report_["worst_texts"] = worst_of(badness, "cosine", cosines);
    if (a_.min_cosine > sorted[0])
      verdict_ =
          "the worst cosine is " + std::to_string(sorted[0]) + ", below --min-cosine " + std::to_string(a_.min_cosine);
    compare_neighbours();
  }

  void compare_neighbours() {
    const size_t n = std::min(texts_.size(), kMostNeighbourTexts);
    if (n < 3) return;
    std::vector<size_t> chosen(n);
    for (size_t i = 0; i < n; ++i) chosen[i] = i * texts_.size() / n;  // spread evenly
    double shared = 0;
    for (size_t i = 0; i < n; ++i) {
      const auto x = neighbours(model_, chosen, i), y = neighbours(reference_, chosen, i);
      std::vector<size_t> both;
      std::set_intersection(x.begin(), x.end(), y.begin(), y.end(), std::back_inserter(both));
      shared += static_cast<double>(both.size()) / static_cast<double>(x.size());
    }
    report_["neighbours"] = {
        {"of", std::min(kNeighbours, n - 1)}, {"texts", n}, {"overlap", shared / static_cast<double>(n)}};
  }

  void compare_scores() {
    const size_t width = model_.width(), n = texts_.size();
    std::vector<double> deltas;
    size_t same_label = 0, same_order = 0, pairs = 0;
    for (size_t i = 0; i < n; ++i) {
      const float *x = model_.row(i), *y = reference_.row(i);
      double delta = 0;
      for (size_t k = 0; k < width; ++k) delta = std::max(delta, moved(x[k], y[k]));
      deltas.push_back(delta);
      same_label += std::max_element(x, x + width) - x == std::max_element(y, y + width) - y;
      for (size_t j = i > 200 ? i - 200 : 0; width == 1 && j < i; ++j, ++pairs)
        same_order += (x[0] > *model_.row(j)) == (y[0] > *reference_.row(j));
    }
    std::vector<double> sorted = deltas;
    std::sort(sorted.begin(), sorted.end());
    report_["score_delta"] = {{"mean", std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(n)},
                              {"percentile_99", sorted[(n - 1) * 99 / 100]},
                              {"worst", sorted.back()}};
    if (width > 1) report_["same_label"] = static_cast<double>(same_label) / static_cast<double>(n);
    if (pairs > 0) report_["same_order"] = static_cast<double>(same_order) / static_cast<double>(pairs);
    report_["worst_texts"] = worst_of(deltas, "delta", deltas);
    if (a_.max_delta >= 0 && sorted.back() > a_.max_delta)
      verdict_ = "the largest score delta is " + std::to_string(sorted.back()) + ", above --max-delta " +
                 std::to_string(a_.max_delta);
  }

  void print() const {
    for (const auto& [key, value] : report_.items()) {
      if (key == "worst_texts") continue;
      std::string line = key;
      std::replace(line.begin(), line.end(), '_', ' ');
      line.resize(28, ' ');
      if (value.is_object())
        for (const auto& [name, number] : value.items()) {
          char text[64];
          std::snprintf(text, sizeof text, "%s %.6g   ", name.c_str(), number.get<double>());
          line += text;
        }
      else
        line += value.dump();
      put(line + '\n');
    }
    put("\nworst texts\n");
    for (const Json& text : report_.at("worst_texts")) {
      char head[64];
      std::snprintf(head, sizeof head, "%10.6f %8zu  ", text.begin().value().get<double>(),
                    text.at("index").get<size_t>());
      put(head + one_line(text.at("text").get<std::string>(), 90) + '\n');
    }
    for (size_t k = 0; k < std::min(kShown, differing_.size()); ++k)
      put("tokens differ: " + one_line(texts_[differing_[k]], 100) + '\n');
  }

  const VerifyArguments& a_;
  Side model_, reference_;
  std::vector<std::string> texts_;
  std::vector<size_t> differing_;  // texts whose tokens differ
  Json report_ = Json::object();
  std::string verdict_;
};

}  // namespace

void add_verify(CLI::App& app) {
  auto a = std::make_shared<VerifyArguments>();
  CLI::App* c = app.add_subcommand("verify", "show what a model's outputs lost against a reference, on your own texts");
  c->add_option("model", a->model, std::string("the model to look at: ") + kModelHelp)->required()->type_name("MODEL");
  add_choice_options(*c);
  c->add_option("--reference", a->reference, "what it was made from: the Hugging Face folder, or another model file")
      ->required()
      ->type_name("MODEL");
  add_text_arguments(*c, a->input);
  c->add_option("-q,--query", a->query, "rerankers: the query that the texts are scored for")->type_name("TEXT");
  c->add_option("--min-cosine", a->min_cosine, "exit code 1 if any text's cosine is lower")->type_name("X");
  c->add_option("--max-delta", a->max_delta, "rerankers and classifiers: exit code 1 if any score moved further")
      ->type_name("X");
  c->add_flag("--json", a->json, "the report as JSON");
  add_threads_option(*c, a->threads);
  add_machine_options(*c);
  c->callback([a] { Verification(*a).run(); });
}

}  // namespace cli
