// quern embed: texts → vectors.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "common.h"
#include "progress.h"
#include "row_writer.h"
#include "text_reader.h"

namespace cli {
namespace {

struct EmbedArguments {
  std::string model, file, output = "-", format, field = "text", pooling, prompt;
  std::vector<std::string> texts;
  int threads = 0;
  int64_t dimensions = 0, max_length = 0;
  bool jsonl = false, normalize = false, no_normalize = false, truncate = false, no_truncate = false, quiet = false,
       has_prompt = false;
};

quern_embed_options library_options(const EmbedArguments& a) {
  quern_embed_options o = quern_embed_options_default();
  if (!a.pooling.empty()) o.pooling = a.pooling.c_str();
  if (a.normalize) o.normalize = 1;
  if (a.no_normalize) o.normalize = 0;
  o.dimensions = a.dimensions;
  if (a.has_prompt) o.prompt = a.prompt.c_str();
  o.max_length = a.max_length;
  o.long_texts = a.no_truncate ? QUERN_LONG_ERROR : QUERN_LONG_TRUNCATE;
  return o;
}

void print_summary(const quern_embed_stats& s, double seconds, int threads) {
  std::string line = std::to_string(s.texts) + " texts, " + std::to_string(s.tokens) + " tokens, " +
                     std::to_string(s.truncated) + " truncated";
  if (s.repaired > 0) line += ", " + std::to_string(s.repaired) + " with invalid UTF-8 (read as U+FFFD)";
  std::fprintf(stderr, "%s, %.3f s, %.1f texts/s, %s, %d thread%s\n", line.c_str(), seconds,
               seconds > 0 ? static_cast<double>(s.texts) / seconds : 0.0, quern_isa(), threads,
               threads == 1 ? "" : "s");
}

void embed(const EmbedArguments& a) {
  const auto start = std::chrono::steady_clock::now();
  if (a.file.empty() && a.texts.empty()) throw Failure{2, "nothing to embed: give -f FILE (- for stdin) or -p TEXT"};
  const RowFormat format = row_format(a.output, a.format);
  const Model model = load(a.model);
  quern_session* opened = nullptr;
  check(quern_session_new(model.get(), a.threads, &opened), 2);
  const Session session(opened);
  quern_embed_options options = library_options(a);
  int64_t width = 0;
  check(quern_embed_width(session.get(), &options, &width), 2);
  TextReader reader(a.texts, a.file, a.field, a.jsonl);
  RowWriter writer(a.output, format, width);
  Progress progress(!a.quiet);
  quern_embed_stats stats{};
  std::vector<const char*> pointers;
  std::vector<size_t> lengths;
  std::vector<float> rows;
  for (;;) {
    const std::vector<std::string>& batch = reader.next(2048, size_t{1} << 20);
    if (batch.empty()) break;
    pointers.clear();
    lengths.clear();
    for (const std::string& text : batch) {
      pointers.push_back(text.data());
      lengths.push_back(text.size());
    }
    rows.resize(batch.size() * static_cast<size_t>(width));
    check(quern_embed(session.get(), pointers.data(), lengths.data(), batch.size(), &options, rows.data(), rows.size(),
                      &stats));
    options.first_text += static_cast<int64_t>(batch.size());
    writer.write(rows.data(), static_cast<int64_t>(batch.size()));
    const std::chrono::duration<double> so_far = std::chrono::steady_clock::now() - start;
    char text[80];
    std::snprintf(text, sizeof text, "%llu texts, %.0f texts/s", static_cast<unsigned long long>(stats.texts),
                  static_cast<double>(stats.texts) / so_far.count());
    progress.show(reader.fraction(), text);
  }
  writer.finish();
  progress.clear();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (!a.quiet) print_summary(stats, seconds.count(), quern_session_threads(session.get()));
}

}  // namespace

void add_embed(CLI::App& app) {
  auto a = std::make_shared<EmbedArguments>();
  CLI::App* c = app.add_subcommand("embed", "turn texts into vectors, one row a text, in the texts' order");
  add_model_option(*c, a->model);
  c->add_option("-f,--file", a->file,
                "file of texts, one a line (empty lines are texts); - is stdin; .jsonl: one object a line")
      ->type_name("FILE");
  c->add_option("-p,--text", a->texts, "a text; may be repeated; comes before those of -f")
      ->type_name("TEXT")
      ->take_all()
      ->allow_extra_args(false);
  c->add_option("-o,--output", a->output,
                "vectors.npy, .jsonl (an array a line) or .csv; - is stdout, as JSON lines (default)")
      ->type_name("FILE");
  c->add_option("--format", a->format, "npy, jsonl or csv, whatever the output's name")
      ->type_name("NAME")
      ->check(CLI::IsMember({"npy", "jsonl", "csv"}));
  c->add_option("--field", a->field, "the field of a JSON-lines file that holds the text (default: text)")
      ->type_name("NAME");
  c->add_flag("--jsonl", a->jsonl, "read -f as JSON lines whatever its name");
  add_threads_option(*c, a->threads);
  c->add_option("--pooling", a->pooling,
                "in place of the model's: cls, max, mean, mean_sqrt_len_tokens, weightedmean, last")
      ->type_name("MODE");
  add_machine_options(*c);
  CLI::Option* yes = c->add_flag("--normalize", a->normalize, "scale vectors to length 1, whatever the model says");
  c->add_flag("--no-normalize", a->no_normalize, "leave vectors as they are, whatever the model says")->excludes(yes);
  c->add_option("--dimensions", a->dimensions,
                "keep the first N values of each vector (Matryoshka), then normalize again")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  CLI::Option* prompt =
      c->add_option("--prompt", a->prompt, "put TEXT before every text (default: the model's default prompt, if any)")
          ->type_name("TEXT");
  c->add_option("--max-length", a->max_length, "tokens of a text, special ones included (default: the model's)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  CLI::Option* cut = c->add_flag("--truncate", a->truncate, "cut longer texts and count them (default)");
  c->add_flag("--no-truncate", a->no_truncate, "a longer text is an error")->excludes(cut);
  c->add_flag("--quiet", a->quiet, "no progress bar and no summary on stderr");
  c->callback([a, prompt] {
    a->has_prompt = prompt->count() > 0;
    embed(*a);
  });
}

}  // namespace cli
