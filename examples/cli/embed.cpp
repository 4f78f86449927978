// quern embed: texts → vectors, sparse weights, one vector per token.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "arrow_writer.h"
#include "embed_outputs.h"
#include "kept_fields.h"
#include "pgcopy_writer.h"
#include "texts.h"

namespace cli {
namespace {

struct EmbedArguments {
  std::string model, adapter, output = "-", format, pooling, prompt, prompt_name, input_type, long_texts;
  std::string precision = "f32", ranges;
  std::vector<std::string> pg_types;
  KeptArguments kept;
  TextArguments input;
  ResumeArguments resume;
  int threads = 0;
  int64_t dimensions = 0, max_length = 0, overlap = 0;
  double pool_factor = 0;
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
  o.pool_factor = a.pool_factor;
  if (a.no_truncate) o.long_texts = QUERN_LONG_ERROR;
  for (const auto& [name, value] : kLong)
    if (a.long_texts == name) o.long_texts = value;
  return o;
}

void require_floats(const EmbedArguments& a, RowFormat format) {
  const bool text = format == RowFormat::jsonl || format == RowFormat::csv;
  if (text && (a.precision != "f32" || !a.ranges.empty()))
    throw Failure{2, "--precision and --ranges: JSON and CSV have decimal numbers; give -o FILE.npy"};
  if (format != RowFormat::pgcopy && !a.pg_types.empty())
    throw Failure{2, "--pg-types: only .pgcopy has PostgreSQL's types"};
}

RunIdentity identity_of(const EmbedArguments& a, const Model& model, const Adapter& adapter, const Inputs& inputs) {
  RunIdentity identity = identity_of_model(model, adapter);
  identity["--format"] = static_cast<int>(row_format(a.output, a.format));
  identity["--pooling"] = a.pooling;
  identity["--normalize"] = a.normalize ? 1 : a.no_normalize ? 0 : -1;
  identity["--dimensions"] = a.dimensions;
  identity["--prompt"] = a.has_prompt ? nlohmann::json(a.prompt) : nlohmann::json(nullptr);
  identity["--prompt-name"] = a.prompt_name;
  identity["--input-type"] = a.input_type;
  identity["--max-length"] = a.max_length;
  identity["--overlap"] = a.overlap;
  identity["--long"] = library_options(a).long_texts;
  identity["--pool-factor"] = a.pool_factor;
  identity["--sparse"] = a.sparse;
  identity["--multi-vector"] = a.multi_vector;
  identity["--id"] = a.kept.id;
  identity["--pg-types"] = a.pg_types;
  identity["--precision"] = a.precision;
  identity["--ranges"] = a.ranges.empty() ? "" : file_digest(a.ranges);
  add_identity(a.input, inputs, identity);
  return identity;
}

void require_same_ranges(const EmbedArguments& a) {
  const bool bytes = a.precision == "int8" || a.precision == "uint8";
  if (!a.input.reading.shard.whole() && bytes && a.ranges.empty())
    throw Failure{2,
                  "--shard: each part would have other ranges of values; give all of them the same --ranges FILE.npy"};
}

// A model without layers makes a text's vector sooner than the text is found.
size_t table_bytes(const Model& model) {
  double products = 0;
  check(quern_model_macs(model.get(), 16, &products, nullptr));
  return products > 0 ? kTableBytes : 0;
}

std::unique_ptr<EmbedOutput> open_output(const EmbedArguments& a, const Model& model, const Session& session,
                                         const quern_embed_options& options) {
  const RowFormat format = row_format(a.output, a.format);
  require_floats(a, format);
  require_same_ranges(a);
  const int64_t limit = a.max_length > 0 ? a.max_length : quern_model_max_length(model.get());
  if (!a.sparse && !a.multi_vector && options.long_texts != QUERN_LONG_CHUNKS) {
    int64_t width = 0;
    check(quern_embed_width(session.get(), &options, &width), 2);
    std::unique_ptr<RowSink> writer;
    const Shard& shard = a.input.reading.shard;
    if (format == RowFormat::pgcopy)
      writer = std::make_unique<PgCopyWriter>(a.output, a.precision, width, a.kept.names, a.pg_types, shard.index == 1,
                                              shard.index == shard.count);
    else if (format == RowFormat::parquet || format == RowFormat::arrow)
      writer =
          std::make_unique<ArrowWriter>(a.output, format == RowFormat::parquet ? QUERN_ARROW_PARQUET : QUERN_ARROW_FILE,
                                        a.precision, a.ranges, width, a.kept.names);
    else
      writer = std::make_unique<RowWriter>(a.output, format, width, a.kept.names,
                                           value_coder(a.precision, a.ranges, width), shard.index == 1);
    return vector_output(session, std::move(writer), width, limit, table_bytes(model));
  }
  if (a.input.reading.on_empty == OnEmpty::zero)
    throw Failure{2,
                  "--on-empty zero: sparse weights, token vectors and pieces have no fixed width; error and skip do"};
  if (format != RowFormat::jsonl)
    throw Failure{2, "-o: sparse weights, token vectors and pieces have no fixed width; write them to a .jsonl"};
  unsigned outputs = (a.sparse ? unsigned{QUERN_SPARSE} : 0u) | (a.multi_vector ? unsigned{QUERN_MULTI_VECTOR} : 0u);
  if (outputs == 0) outputs = QUERN_DENSE;
  return line_output(session, std::make_unique<RowWriter>(a.output, format, 0), outputs, a.kept.names, limit);
}

void print_end(const EmbedArguments& a, const BulkRun& run, const RunCounts& counts, const std::string& note,
               const Model& model, const Session& session) {
  if (a.quiet) return;
  print_summary(a.input, counts.stats, run.seconds(), quern_session_threads(session.get()), counts.repeated,
                counts.earlier);
  if (!note.empty()) std::fprintf(stderr, "note: %s\n", note.c_str());
  if (a.dimensions > 0 && !quern_model_matryoshka(model.get()))
    std::fprintf(stderr,
                 "note: nothing says that this model was trained for shorter vectors (Matryoshka); quern verify shows "
                 "what --dimensions costs\n");
}

void embed(EmbedArguments& a) {
  name_fields(a.kept, a.input.reading.fields, {"embedding", "sparse", "multi_vector"});
  require_texts(a.input, "embed");  // before the model is loaded
  const Model model = load(a.model);
  const Session session = open_session(model, a.threads);
  const Adapter adapter = load_adapter(model, a.adapter);
  quern_embed_options options = library_options(a);
  options.adapter = adapter.get();
  const std::unique_ptr<EmbedOutput> output = open_output(a, model, session, options);
  BulkRun run(a.resume, a.quiet, output->sink(),
              [&](const Inputs& inputs) { return identity_of(a, model, adapter, inputs); });
  const RunCounts counts = run.run(open_texts(a.input, "embed"), [&](const TextBatch& batch, RunCounts& so_far) {
    options.first_text = static_cast<int64_t>(batch.first + 1);
    return output->run(batch, options, so_far);
  });
  print_end(a, run, counts, output->sink().note(), model, session);
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
  add_adapter_option(*c, a->adapter);
  add_text_arguments(*c, a->input, true);
  c->add_option(
       "-o,--output", a->output,
       "vectors.npy, .jsonl (one array per line), .csv, .parquet, .arrow or .pgcopy (PostgreSQL); - is stdout, as JSON "
       "lines (default)")
      ->type_name("FILE");
  c->add_option("--format", a->format, CLI::detail::join(row_formats(), ", ") + ", whatever the output's name")
      ->type_name("NAME")
      ->check(CLI::IsMember(row_formats()));
  add_kept_options(*c, a->kept);
  c->add_option(
       "--pg-types", a->pg_types,
       "for .pgcopy, columns that are not text: id=bigint,n=integer (" + CLI::detail::join(cli::pg_types(), ", ") + ")")
      ->type_name("NAME=TYPE")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->take_all();
  c->add_option("--precision", a->precision, "values of a .npy, as sentence-transformers quantizes them (default: f32)")
      ->type_name("NAME")
      ->check(CLI::IsMember(precisions()));
  c->add_option("--ranges", a->ranges,
                "for int8 and uint8: a .npy with the least and the greatest value of each dimension (default: those of "
                "the first 8,192 rows)")
      ->type_name("FILE");
  add_resume_options(*c, a->resume);
  add_threads_option(*c, a->threads);
  c->add_flag("--sparse", a->sparse, "weights of tokens instead (SPLADE, bge-m3): {\"indices\", \"values\"} a line");
  CLI::Option* tokens =
      c->add_flag("--multi-vector", a->multi_vector,
                  "one vector per token instead (ColBERT, bge-m3): an array of arrays per line; with --input-type");
  c->add_option("--pool-factor", a->pool_factor,
                "with --multi-vector, of documents: a vector for each N tokens that are near each other (default: the "
                "model's)")
      ->type_name("N")
      ->check(CLI::Range(1.0, 1048576.0))
      ->needs(tokens);
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
  c->add_flag("--quiet", a->quiet, "neither progress nor summary on stderr");
  c->callback([a, prompt] {
    a->has_prompt = prompt->count() > 0;
    embed(*a);
  });
}

}  // namespace cli
