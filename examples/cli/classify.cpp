// quern classify: label scores of texts, or the labelled parts of texts (named entities).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <numeric>
#include <vector>

#include "bulk_run.h"
#include "kept_fields.h"
#include "row_writer.h"
#include "texts.h"

namespace cli {
namespace {

struct ClassifyArguments {
  std::string model, adapter, output, hypothesis;
  std::vector<std::string> labels;
  TextArguments input;
  KeptArguments kept;
  ResumeArguments resume;
  int threads = 0;
  size_t top_n = 0;
  int64_t max_length = 0;
  bool json = false, raw = false, no_truncate = false, pairs = false, each_token = false, quiet = false,
       multi_label = false;
};

class Classifier {
 public:
  explicit Classifier(const ClassifyArguments& a)
      : a_(a),
        model_(load(a.model)),
        adapter_(load_adapter(model_, a.adapter)),
        session_(open_session(model_, a.threads)) {
    options_ = quern_classify_options_default();
    options_.adapter = adapter_.get();
    options_.raw = a.raw;
    options_.max_length = a.max_length;
    options_.long_texts = a.no_truncate ? QUERN_LONG_ERROR : QUERN_LONG_TRUNCATE;
    zero_shot_ = quern_zero_shot_options_default();
    zero_shot_.multi_label = a.multi_label;
    zero_shot_.hypothesis = a.hypothesis.empty() ? nullptr : a.hypothesis.c_str();
    const int64_t n = a.labels.empty() ? quern_model_labels(model_.get()) : 0;
    labels_ = a.labels;
    for (int64_t i = 0; i < n; ++i) labels_.emplace_back(quern_model_label(model_.get(), i));
  }

  void run() {
    spans_ = a_.labels.empty() && (quern_model_outputs(model_.get()) & QUERN_TOKEN_LABELS);
    if (spans_ && a_.pairs) throw Failure{2, "--pairs: this model labels the tokens of single texts"};
    a_.output.empty() ? print_all() : write_all();
  }

 private:
  void print_all() {
    const auto start = std::chrono::steady_clock::now();
    for_each_batch(a_.input, "classify", [&](const TextBatch& batch) {
      const std::vector<std::string> lines = lines_of(batch, stats_);
      if (!a_.json && batch.first == 0)
        put(spans_ ? "    text     score  begin    end  label            part\n" : "    text     score  label\n");
      for (const std::string& line : lines) put(line + (a_.json ? "\n" : ""));
    });
    finish_stdout();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (!a_.quiet) print_summary(a_.input, stats_, seconds.count(), quern_session_threads(session_.get()));
  }

  // JSON lines to a file, which another run can go on with.
  void write_all() {
    if (row_format(a_.output, "") != RowFormat::jsonl)
      throw Failure{2, "-o " + a_.output + ": labels are written as JSON lines; expected a name in .jsonl"};
    RowWriter writer(a_.output, RowFormat::jsonl, 0);
    const std::vector<std::string> prefixes = json_prefixes(a_.kept.names);
    BulkRun run(a_.resume, a_.quiet, writer, [this](const Inputs& inputs) { return identity(inputs); });
    const RunCounts counts = run.run(open_texts(a_.input, "classify"), [&](const TextBatch& batch, RunCounts& so_far) {
      return [&writer, &prefixes, lines = lines_of(batch, so_far.stats), kept = batch.kept] {
        for (size_t i = 0; i < lines.size(); ++i)
          writer.write_line(kept.empty() ? lines[i]
                                         : '{' + json_members(prefixes, kept[i]) + "\"labels\":" + lines[i] + '}');
      };
    });
    if (!a_.quiet)
      print_summary(a_.input, counts.stats, run.seconds(), quern_session_threads(session_.get()), 0, counts.earlier);
  }

  RunIdentity identity(const Inputs& inputs) const {
    RunIdentity identity = identity_of_model(model_, adapter_);
    identity["--pairs"] = a_.pairs;
    identity["--labels"] = a_.labels;
    identity["--hypothesis"] = a_.hypothesis;
    identity["--multi-label"] = a_.multi_label;
    identity["--top-n"] = a_.top_n;
    identity["--each-token"] = a_.each_token;
    identity["--raw"] = a_.raw;
    identity["--max-length"] = a_.max_length;
    identity["--no-truncate"] = a_.no_truncate;
    identity["--id"] = a_.kept.id;
    add_identity(a_.input, inputs, identity);
    return identity;
  }

  // What is said of each text: JSON, or lines of a table.
  std::vector<std::string> lines_of(const TextBatch& batch, quern_embed_stats& stats) {
    options_.first_text = static_cast<int64_t>(batch.first + 1);
    return spans_ ? label_tokens(batch, stats) : label_texts(batch, stats);
  }

  // Both halves of each line; keeps the batch's own strings.
  void split_pairs(const TextBatch& batch, TextBatch& first, std::vector<const char*>& second,
                   std::vector<size_t>& second_lengths) const {
    for (size_t i = 0; i < batch.texts.size(); ++i) {
      const size_t tab = batch.texts[i].find('\t');
      if (tab == std::string::npos)
        throw Failure{2, "--pairs: text " + std::to_string(batch.first + i + 1) + " has no tab between two texts"};
      first.lengths[i] = tab;
      second.push_back(batch.texts[i].data() + tab + 1);
      second_lengths.push_back(batch.texts[i].size() - tab - 1);
    }
  }

  std::vector<std::string> label_texts(const TextBatch& batch, quern_embed_stats& stats) {
    const size_t labels = labels_.size(), n = batch.texts.size();
    std::vector<float> scores(n * std::max<size_t>(labels, 1));
    std::vector<std::string> lines;
    const auto print_lines = [&] {
      for (size_t i = 0; i < n; ++i) lines.push_back(labels_line(batch.first + i, scores.data() + i * labels, labels));
      return lines;
    };
    if (!a_.labels.empty()) {
      std::vector<const char*> names;
      for (const std::string& label : labels_) names.push_back(label.c_str());
      check(quern_zero_shot(session_.get(), batch.pointers.data(), batch.lengths.data(), n, names.data(), labels,
                            &zero_shot_, &options_, scores.data(), scores.size(), &stats));
      return print_lines();
    }
    TextBatch first = batch;
    std::vector<const char*> second;
    std::vector<size_t> second_lengths;
    if (a_.pairs) split_pairs(batch, first, second, second_lengths);
    check(quern_classify(session_.get(), first.pointers.data(), first.lengths.data(),
                         a_.pairs ? second.data() : nullptr, second_lengths.data(), n, &options_, scores.data(),
                         scores.size(), &stats));
    return print_lines();
  }

  std::string labels_line(size_t text, const float* scores, size_t n) const {
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) { return scores[x] > scores[y]; });
    // A table shows the best label, JSON all of them, unless told.
    const size_t shown = std::min(n, a_.top_n > 0 ? a_.top_n : a_.json ? n : 1);
    std::string line = a_.json ? "[" : "";
    for (size_t k = 0; k < shown; ++k) {
      const std::string& label = labels_[order[k]];
      if (a_.json) {
        line += (k ? ",{\"label\":" : "{\"label\":") + json_string(label) +
                ",\"score\":" + json_number(scores[order[k]]) + '}';
        continue;
      }
      char head[64];
      std::snprintf(head, sizeof head, "%8zu %9.5g  ", text, static_cast<double>(scores[order[k]]));
      line += head + label + '\n';
    }
    return a_.json ? line + ']' : line;
  }

  std::vector<std::string> label_tokens(const TextBatch& batch, quern_embed_stats& stats) const {
    quern_spans* made = nullptr;
    check(quern_classify_tokens(session_.get(), batch.pointers.data(), batch.lengths.data(), batch.texts.size(),
                                &options_, !a_.each_token, &made, &stats));
    const SpansHandle owner(made);
    std::vector<std::string> lines;
    for (size_t i = 0; i < batch.texts.size(); ++i) {
      size_t n = 0;
      const quern_span* spans = quern_spans_of(made, i, &n);
      lines.push_back(spans_line(batch.first + i, batch.texts[i], spans, n));
    }
    return lines;
  }

  std::string spans_line(size_t text, const std::string& of, const quern_span* spans, size_t n) const {
    std::string line = a_.json ? "[" : "";
    for (size_t k = 0; k < n; ++k) {
      const quern_span& s = spans[k];
      const std::string label = quern_model_label(model_.get(), s.label), part = of.substr(s.begin, s.end - s.begin);
      // Grouped spans are of a kind: the prefix of the first token's label says nothing more.
      const bool prefixed = !a_.each_token && (label.starts_with("B-") || label.starts_with("I-"));
      const std::string shown = prefixed ? label.substr(2) : label;
      if (a_.json) {
        line += (k ? ",{\"label\":" : "{\"label\":") + json_string(shown) + ",\"score\":" + json_number(s.score) +
                ",\"begin\":" + std::to_string(s.begin) + ",\"end\":" + std::to_string(s.end) +
                ",\"text\":" + json_string(part) + '}';
        continue;
      }
      char head[80];
      std::snprintf(head, sizeof head, "%8zu %9.5g %6zu %6zu  %-16s ", text, static_cast<double>(s.score), s.begin,
                    s.end, one_line(shown, 16).c_str());
      line += head + one_line(part, 60) + '\n';
    }
    return a_.json ? line + ']' : line;
  }

  const ClassifyArguments& a_;
  const Model model_;
  const Adapter adapter_;
  const Session session_;
  quern_classify_options options_;
  quern_zero_shot_options zero_shot_;
  std::vector<std::string> labels_;  // the model's, or those that were given
  quern_embed_stats stats_{};
  bool spans_ = false;
};

}  // namespace

void add_classify(CLI::App& app) {
  auto a = std::make_shared<ClassifyArguments>();
  CLI::App* c =
      app.add_subcommand("classify", "label texts, or the parts of texts (sentiment, topics, named entities)");
  add_model_option(*c, a->model);
  add_adapter_option(*c, a->adapter);
  add_text_arguments(*c, a->input);
  c->add_option("-o,--output", a->output,
                "a file of JSON lines, as --json prints them, which can be gone on with (default: a table on stdout)")
      ->type_name("FILE");
  add_kept_options(*c, a->kept);
  add_resume_options(*c, a->resume);
  c->add_option(
       "--labels", a->labels,
       "labels of your own, with commas between them, for models of natural language inference: how much a text "
       "entails a sentence about each")
      ->type_name("A,B,…")
      ->delimiter(',');
  c->add_option("--hypothesis", a->hypothesis,
                "that sentence, with {} for the label (default: \"This example is {}.\")")
      ->type_name("TEXT")
      ->needs("--labels");
  c->add_flag("--multi-label", a->multi_label, "each of --labels for itself; by default their scores are shares of 1")
      ->needs("--labels");
  c->add_flag("--pairs", a->pairs, "each text is two, with a tab between them (entailment and the like)");
  c->add_option("--top-n", a->top_n, "the best N labels of a text (default: one in a table, all in JSON)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  c->add_flag("--each-token", a->each_token, "token classifiers: every token, not the spans that they make together");
  c->add_flag("--json", a->json,
              "one line per text: an array of {\"label\", \"score\"}, or of labelled spans (in bytes)");
  c->add_flag("--raw", a->raw, "scores as the model's last layer gives them, without softmax or sigmoid");
  c->add_option("--max-length", a->max_length, "tokens of a text, special ones included (default: the model's)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  c->add_flag("--no-truncate", a->no_truncate, "a longer text is an error; by default it is cut and counted");
  add_threads_option(*c, a->threads);
  add_machine_options(*c);
  c->add_flag("--quiet", a->quiet, "no summary on stderr");
  c->callback([a] {
    const bool only_files = a->resume.resume || a->resume.restart || !a->kept.id.empty() || !a->kept.keep.empty();
    if (a->output.empty() && only_files)
      throw Failure{2, "--id, --keep, --resume and --restart go with an output: give -o FILE.jsonl"};
    if (!a->labels.empty() && (a->raw || a->pairs || a->each_token))
      throw Failure{2, "--labels makes pairs and scores of its own: --raw, --pairs and --each-token do not go with it"};
    a->json = a->json || !a->output.empty();
    name_fields(a->kept, a->input.reading.fields, {"labels"});
    Classifier(*a).run();
  });
}

}  // namespace cli
