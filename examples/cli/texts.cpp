#include "texts.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

namespace cli {

namespace {

const std::map<std::string, OnEmpty> kOnEmpty = {
    {"keep", OnEmpty::keep}, {"error", OnEmpty::error}, {"skip", OnEmpty::skip}, {"zero", OnEmpty::zero}};

}  // namespace

void add_text_arguments(CLI::App& c, TextArguments& a, bool zeros) {
  c.add_option(
       "-f,--file", a.files,
       "files or folders of texts, of this machine or hf://datasets/org/name[@revision]/data/*.parquet; - is stdin. "
       "One "
       "text per line (empty lines are texts); .jsonl, .json, .csv and .tsv have fields; .gz and .zst are unpacked")
      ->type_name("FILE");
  c.add_option("-p,--text", a.texts, "a text; may be repeated; comes before those of -f")
      ->type_name("TEXT")
      ->take_all()
      ->allow_extra_args(false);
  c.add_option("--field", a.reading.fields.text,
               "the field or column that holds the text (default: text, or the only column)")
      ->type_name("NAME");
  CLI::Option* format = c.add_option("--input-format", a.reading.format, "what -f is, whatever its name")
                            ->type_name("NAME")
                            ->check(CLI::IsMember(text_formats()));
  c.add_flag_callback(
       "--jsonl", [&a] { a.reading.format = "jsonl"; }, "the same as --input-format jsonl")
      ->excludes(format);
  c.add_option_function<std::string>(
       "--shard", [&a](const std::string& text) { a.reading.shard = shard_of(text); },
       "only part I of N equal ones of all texts, in order: 1/4 to 4/4, for N machines")
      ->type_name("I/N");
  std::map<std::string, OnEmpty> choices = kOnEmpty;
  if (!zeros) choices.erase("zero");
  c.add_option("--on-empty", a.reading.on_empty,
               std::string("a text of nothing but white space: keep (default), error, skip") +
                   (zeros ? ", zero (a vector of zeros)" : ""))
      ->transform(CLI::Transformer(choices).description(""))
      ->type_name("WHAT");
}

void require_texts(const TextArguments& a, const char* what) {
  if (a.files.empty() && a.texts.empty())
    throw Failure{2, std::string("nothing to ") + what + ": give -f FILE (- for stdin) or -p TEXT"};
}

std::unique_ptr<TextReader> open_texts(const TextArguments& a, const char* what) {
  require_texts(a, what);
  return std::make_unique<TextReader>(a.texts, find_inputs(a.files), a.reading, a.counts);
}

void for_each_batch(const TextArguments& a, const char* what, const std::function<void(const TextBatch&)>& f) {
  for_each_overlapped(open_texts(a, what), [&](const TextBatch& batch) {
    f(batch);
    return Write();
  });
}

void print_summary(const TextArguments& a, const quern_embed_stats& s, double seconds, int threads, uint64_t repeated,
                   uint64_t earlier) {
  std::string line = std::to_string(s.texts) + " texts, " + std::to_string(s.tokens) + " tokens, " +
                     std::to_string(s.truncated) + " truncated";
  if (s.chunked > 0) line += ", " + std::to_string(s.chunked) + " in pieces";
  if (s.repaired > 0) line += ", " + std::to_string(s.repaired) + " with invalid UTF-8 (read as U+FFFD)";
  if (const uint64_t empty = a.counts->empty)
    line += ", " + std::to_string(empty) + " empty" +
            (a.reading.on_empty == OnEmpty::skip   ? " (skipped)"
             : a.reading.on_empty == OnEmpty::zero ? " (zeros)"
                                                   : "");
  if (repeated > 0) line += ", " + std::to_string(repeated) + " repeated (embedded once)";
  if (earlier > 0) line += ", " + std::to_string(earlier) + " by an earlier run";
  std::fprintf(stderr, "%s, %.3f s, %.1f texts/s, %s, %d thread%s\n", line.c_str(), seconds,
               seconds > 0 ? static_cast<double>(s.texts - earlier) / seconds : 0.0, quern_isa(), threads,
               threads == 1 ? "" : "s");
}

std::string json_string(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_number(float value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string one_line(const std::string& text, size_t width) {
  std::string line;
  size_t columns = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool starts = (byte & 0xC0) != 0x80;
    if (starts && ++columns > width) return line + "…";
    line += byte < 0x20 || byte == 0x7F ? ' ' : text[i];
  }
  return line;
}

void put(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
    throw Failure{1, std::string("stdout: cannot write: ") + std::strerror(errno)};
}

void finish_stdout() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout))
    throw Failure{1, std::string("stdout: cannot write: ") + std::strerror(errno)};
}

}  // namespace cli
