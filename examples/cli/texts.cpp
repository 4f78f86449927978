#include "texts.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "text_reader.h"

namespace cli {

void add_text_arguments(CLI::App& c, TextArguments& a) {
  c.add_option("-f,--file", a.file,
               "file of texts, one per line (empty lines are texts); - is stdin; .jsonl: one object per line")
      ->type_name("FILE");
  c.add_option("-p,--text", a.texts, "a text; may be repeated; comes before those of -f")
      ->type_name("TEXT")
      ->take_all()
      ->allow_extra_args(false);
  c.add_option("--field", a.field, "the field of a JSON-lines file that holds the text (default: text)")
      ->type_name("NAME");
  c.add_flag("--jsonl", a.jsonl, "read -f as JSON lines whatever its name");
}

void require_texts(const TextArguments& a, const char* what) {
  if (a.file.empty() && a.texts.empty())
    throw Failure{2, std::string("nothing to ") + what + ": give -f FILE (- for stdin) or -p TEXT"};
}

std::unique_ptr<TextSource> open_texts(const TextArguments& a, const char* what) {
  require_texts(a, what);
  return std::make_unique<TextReader>(a.texts, a.file, a.field, a.jsonl);
}

void for_each_batch(const TextArguments& a, const char* what, const std::function<void(const TextBatch&)>& f) {
  for_each_overlapped(open_texts(a, what), [&](const TextBatch& batch) {
    f(batch);
    return Write();
  });
}

void print_summary(const quern_embed_stats& s, double seconds, int threads) {
  std::string line = std::to_string(s.texts) + " texts, " + std::to_string(s.tokens) + " tokens, " +
                     std::to_string(s.truncated) + " truncated";
  if (s.chunked > 0) line += ", " + std::to_string(s.chunked) + " in pieces";
  if (s.repaired > 0) line += ", " + std::to_string(s.repaired) + " with invalid UTF-8 (read as U+FFFD)";
  std::fprintf(stderr, "%s, %.3f s, %.1f texts/s, %s, %d thread%s\n", line.c_str(), seconds,
               seconds > 0 ? static_cast<double>(s.texts) / seconds : 0.0, quern_isa(), threads,
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
