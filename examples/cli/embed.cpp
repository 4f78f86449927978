// quern embed: texts → vectors, sparse weights, one vector per token.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "progress.h"
#include "row_writer.h"
#include "texts.h"

namespace cli {
namespace {

struct EmbedArguments {
  std::string model, output = "-", format, pooling, prompt, prompt_name, input_type, long_texts;
  TextArguments input;
  int threads = 0;
  int64_t dimensions = 0, max_length = 0, overlap = 0;
  bool normalize = false, no_normalize = false, truncate = false, no_truncate = false, quiet = false,
       has_prompt = false, sparse = false, multi_vector = false;
};

constexpr std::pair<const char*, quern_long_texts> kLong[] = {{"error", QUERN_LONG_ERROR},
                                                              {"truncate", QUERN_LONG_TRUNCATE},
                                                              {"chunk-mean", QUERN_LONG_CHUNK_MEAN},
                                                              {"chunks", QUERN_LONG_CHUNKS}};

quern_embed_options library_options(const EmbedArguments& a) {
  quern_embed_options o = quern_embed_options_default();
  if (!a.pooling.empty()) o.pooling = a.pooling.c_str();
  if (a.normalize) o.normalize = 1;
  if (a.no_normalize) o.normalize = 0;
  o.dimensions = a.dimensions;
  if (a.has_prompt) o.prompt = a.prompt.c_str();
  if (!a.prompt_name.empty()) o.prompt_name = a.prompt_name.c_str();
  if (!a.input_type.empty()) o.input_type = a.input_type.c_str();
  o.max_length = a.max_length;
  o.overlap = a.overlap;
  if (a.no_truncate) o.long_texts = QUERN_LONG_ERROR;
  for (const auto& [name, value] : kLong)
    if (a.long_texts == name) o.long_texts = value;
  return o;
}

// Rows as they come, one a text: the plain case.
class VectorOutput {
 public:
  VectorOutput(const EmbedArguments& a, const Session& session, const quern_embed_options& options)
      : session_(session), width_(width(session, options)), writer_(a.output, row_format(a.output, a.format), width_) {}

  Write run(const TextBatch& batch, const quern_embed_options& options, quern_embed_stats& stats) {
    const size_t n = batch.texts.size();
    const auto rows = std::make_shared<std::vector<float>>(n * static_cast<size_t>(width_));
    check(quern_embed(session_.get(), batch.pointers.data(), batch.lengths.data(), n, &options, rows->data(),
                      rows->size(), &stats));
    return [this, rows, n] { writer_.write(rows->data(), static_cast<int64_t>(n)); };
  }
  void finish() { writer_.finish(); }

 private:
  static int64_t width(const Session& session, const quern_embed_options& options) {
    int64_t width = 0;
    check(quern_embed_width(session.get(), &options, &width), 2);
    return width;
  }
  const Session& session_;
  const int64_t width_;
  RowWriter writer_;
};

// What has no fixed width: a line of JSON a text.
class LineOutput {
 public:
  LineOutput(const EmbedArguments& a, const Session& session)
      : session_(session),
        outputs_((a.sparse ? unsigned{QUERN_SPARSE} : 0u) | (a.multi_vector ? unsigned{QUERN_MULTI_VECTOR} : 0u)),
        writer_(a.output, lines_only(a), 0) {
    if (outputs_ == 0) outputs_ = QUERN_DENSE;
  }

  Write run(const TextBatch& batch, const quern_embed_options& options, quern_embed_stats& stats) {
    quern_encoded* made = nullptr;
    check(quern_encode(session_.get(), batch.pointers.data(), batch.lengths.data(), batch.texts.size(), &options,
                       outputs_, &made, &stats));
    const std::shared_ptr<quern_encoded> owner(made, quern_encoded_free);
    return [this, owner, n = batch.texts.size()] {
      for (size_t i = 0; i < n; ++i) writer_.write_line(line_of(*owner, i));
    };
  }
  void finish() { writer_.finish(); }

 private:
  static RowFormat lines_only(const EmbedArguments& a) {
    const RowFormat format = row_format(a.output, a.format);
    if (format != RowFormat::jsonl)
      throw Failure{2, "-o: sparse weights, token vectors and pieces have no fixed width; write them to a .jsonl"};
    return format;
  }

  std::string line_of(const quern_encoded& e, size_t i) const {
    if (outputs_ == QUERN_DENSE) return matrix(e, i, quern_encoded_dense);
    if (outputs_ == QUERN_SPARSE) return sparse(e, i);
    if (outputs_ == QUERN_MULTI_VECTOR) return matrix(e, i, quern_encoded_multi_vector);
    return "{\"sparse\":" + sparse(e, i) + ",\"multi_vector\":" + matrix(e, i, quern_encoded_multi_vector) + '}';
  }

  static std::string sparse(const quern_encoded& e, size_t i) {
    const int32_t* ids = nullptr;
    const float* weights = nullptr;
    const size_t n = quern_encoded_sparse(&e, i, &ids, &weights);
    std::string indices, values;
    for (size_t k = 0; k < n; ++k) {
      indices += (k ? "," : "") + std::to_string(ids[k]);
      values += (k ? "," : "") + json_number(weights[k]);
    }
    return "{\"indices\":[" + indices + "],\"values\":[" + values + "]}";
  }

  static std::string matrix(const quern_encoded& e, size_t i,
                            const float* (*get)(const quern_encoded*, size_t, size_t*, size_t*)) {
    size_t rows = 0, width = 0;
    const float* values = get(&e, i, &rows, &width);
    std::string line = "[";
    for (size_t r = 0; r < rows; ++r) {
      line += r ? ",[" : "[";
      for (size_t k = 0; k < width; ++k) line += (k ? "," : "") + json_number(values[r * width + k]);
      line += ']';
    }
    return line + ']';
  }

  const Session& session_;
  unsigned outputs_;
  RowWriter writer_;
};

template <class Output>
void run(const EmbedArguments& a, Output& output, const Model& model, const Session& session,
         quern_embed_options options) {
  const auto start = std::chrono::steady_clock::now();
  const auto passed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  Progress progress(!a.quiet);
  quern_embed_stats stats{};
  for_each_overlapped(open_texts(a.input, "embed"), [&](const TextBatch& batch) {
    options.first_text = static_cast<int64_t>(batch.first + 1);
    Write write = output.run(batch, options, stats);
    char text[80];
    std::snprintf(text, sizeof text, "%llu texts, %.0f texts/s", static_cast<unsigned long long>(stats.texts),
                  static_cast<double>(stats.texts) / passed());
    progress.show(batch.fraction, text);
    return write;
  });
  output.finish();
  progress.clear();
  if (a.quiet) return;
  print_summary(stats, passed(), quern_session_threads(session.get()));
  if (a.dimensions > 0 && !quern_model_matryoshka(model.get()))
    std::fprintf(stderr,
                 "note: nothing says that this model was trained for shorter vectors (Matryoshka); quern verify shows "
                 "what --dimensions costs\n");
}

void embed(const EmbedArguments& a) {
  require_texts(a.input, "embed");  // before the model is loaded
  const Model model = load(a.model);
  const Session session = open_session(model, a.threads);
  const quern_embed_options options = library_options(a);
  if (a.sparse || a.multi_vector || options.long_texts == QUERN_LONG_CHUNKS) {
    LineOutput output(a, session);
    return run(a, output, model, session, options);
  }
  VectorOutput output(a, session, options);
  run(a, output, model, session, options);
}

void add_text_treatment(CLI::App& c, EmbedArguments& a, CLI::Option*& prompt) {
  prompt =
      c.add_option("--prompt", a.prompt, "put TEXT before every text (default: the model's default prompt, if any)")
          ->type_name("TEXT");
  CLI::Option* name =
      c.add_option("--prompt-name", a.prompt_name, "one of the model's prompts (quern inspect lists them)")
          ->type_name("NAME")
          ->excludes(prompt);
  c.add_option("--input-type", a.input_type, "query or document: the model's prompt for such texts, where it has one")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"query", "document"}))
      ->excludes(prompt)
      ->excludes(name);
  c.add_option("--max-length", a.max_length, "tokens of a text, special ones included (default: the model's)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  CLI::Option* cut = c.add_flag("--truncate", a.truncate, "cut longer texts and count them (default)");
  CLI::Option* error = c.add_flag("--no-truncate", a.no_truncate, "a longer text is an error")->excludes(cut);
  c.add_option(
       "--long", a.long_texts,
       "longer texts: error, truncate, chunk-mean (the mean of their pieces' vectors), chunks (one vector per piece)")
      ->type_name("WHAT")
      ->check(CLI::IsMember({"error", "truncate", "chunk-mean", "chunks"}))
      ->excludes(cut)
      ->excludes(error);
  c.add_option("--overlap", a.overlap, "tokens that neighbouring pieces share (default: 0)")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
}

}  // namespace

void add_embed(CLI::App& app) {
  auto a = std::make_shared<EmbedArguments>();
  CLI::App* c = app.add_subcommand("embed", "turn texts into vectors, one row per text, in the texts' order");
  add_model_option(*c, a->model);
  add_text_arguments(*c, a->input);
  c->add_option("-o,--output", a->output,
                "vectors.npy, .jsonl (one array per line) or .csv; - is stdout, as JSON lines (default)")
      ->type_name("FILE");
  c->add_option("--format", a->format, "npy, jsonl or csv, whatever the output's name")
      ->type_name("NAME")
      ->check(CLI::IsMember({"npy", "jsonl", "csv"}));
  add_threads_option(*c, a->threads);
  c->add_flag("--sparse", a->sparse, "weights of tokens instead (SPLADE, bge-m3): {\"indices\", \"values\"} a line");
  c->add_flag("--multi-vector", a->multi_vector, "one vector per token instead (bge-m3): an array of arrays per line");
  c->add_option("--pooling", a->pooling,
                "in place of the model's: " + CLI::detail::join(names_of(quern_pooling_mode), ", "))
      ->type_name("MODE");
  add_machine_options(*c);
  CLI::Option* yes = c->add_flag("--normalize", a->normalize, "scale vectors to length 1, whatever the model says");
  c->add_flag("--no-normalize", a->no_normalize, "leave vectors as they are, whatever the model says")->excludes(yes);
  c->add_option("--dimensions", a->dimensions,
                "keep the first N values of each vector (Matryoshka), then normalize again")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  CLI::Option* prompt = nullptr;
  add_text_treatment(*c, *a, prompt);
  c->add_flag("--quiet", a->quiet, "no progress bar and no summary on stderr");
  c->callback([a, prompt] {
    a->has_prompt = prompt->count() > 0;
    embed(*a);
  });
}

}  // namespace cli
