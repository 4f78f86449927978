// tokenizer_lines FILE [--offsets] [--tables] [--decode] [--time N] < TEXTS: what quern's tokenizer makes of each line,
// for compare_tokenizer.py and speed_tokenizer.py. FILE is a tokenizer.json, a GGUF file, or a folder without
// tokenizer.json.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "error.h"
#include "gguf/reader.h"
#include "io/mapped_file.h"
#include "tokenizers/from_gguf.h"
#include "tokenizers/table.h"
#include "tokenizers/tokenizer.h"

using namespace quern;

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string file;
  bool offsets = false, tables = false;
  int repeats = 0;
};

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

std::string read_json(const std::string& path) {
  if (!path.ends_with(".gguf")) return read_text_file(path, size_t{1} << 30);
  const MappedFile file = MappedFile::open(path);
  return tokenizer_json_from_gguf(GgufReader(file.bytes(), path));
}

std::vector<std::string> read_lines() {
  std::vector<std::string> lines;
  std::string line;
  for (int c = std::getchar(); c != EOF; c = std::getchar()) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    lines.push_back(std::move(line));
    line.clear();
  }
  return lines;
}

void print(const Encoding& e, bool offsets) {
  std::string out = offsets ? "[[" : "[";
  for (size_t i = 0; i < e.ids.size(); ++i) out += (i ? "," : "") + std::to_string(e.ids[i]);
  out += "]";
  if (offsets) {
    out += ",[";
    for (size_t i = 0; i < e.offsets.size(); ++i)
      out += (i ? ",[" : "[") + std::to_string(e.offsets[i].begin) + "," + std::to_string(e.offsets[i].end) + "]";
    out += "]]";
  }
  std::puts(out.c_str());
}

void run(const Options& o) {
  const std::string json = read_json(o.file);
  auto start = Clock::now();
  std::unique_ptr<const Tokenizer> tokenizer = Tokenizer::parse(json, o.file);
  std::fprintf(stderr, "ready from JSON in %.1f ms, ", ms_since(start));
  std::map<std::string, std::vector<std::byte>, std::less<>> saved;
  size_t bytes = 0;
  tokenizer->save([&](std::string_view name, std::span<const std::byte> table) {
    saved[std::string(name)].assign(table.begin(), table.end());
    bytes += table.size();
  });
  const TableSource tables = {o.file, "", [&](std::string_view name) -> std::optional<std::span<const std::byte>> {
                                const auto found = saved.find(name);
                                if (found == saved.end()) return std::nullopt;
                                return std::span<const std::byte>(found->second);
                              }};
  const std::string outline = Tokenizer::outline(json, o.file);
  start = Clock::now();
  std::unique_ptr<const Tokenizer> in_place = Tokenizer::parse(outline, o.file, true, &tables);
  std::fprintf(stderr, "from tables in %.1f ms (%.1f MB, outline %zu bytes)\n", ms_since(start),
               static_cast<double>(bytes) / 1e6, outline.size());
  if (o.tables) tokenizer = std::move(in_place);
  const std::vector<std::string> lines = read_lines();
  Encoding encoding;
  size_t text_bytes = 0, n_tokens = 0;
  for (const std::string& line : lines) text_bytes += line.size();
  for (int i = 0; i < o.repeats; ++i) {
    start = Clock::now();
    n_tokens = 0;
    for (const std::string& line : lines) {
      tokenizer->encode(line, {}, encoding);
      n_tokens += encoding.ids.size();
    }
    const double ms = ms_since(start);
    std::printf("%.2f MB/s, %zu tokens\n", static_cast<double>(text_bytes) / 1e3 / ms, n_tokens);
  }
  if (o.repeats > 0) return;
  for (const std::string& line : lines) {
    tokenizer->encode(line, {.add_special = true, .want_offsets = o.offsets}, encoding);
    print(encoding, o.offsets);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--offsets")
      o.offsets = true;
    else if (argument == "--tables")
      o.tables = true;
    else if (argument == "--time" && i + 1 < argc)
      o.repeats = std::atoi(argv[++i]);
    else
      o.file = argument;
  }
  try {
    run(o);
    return 0;
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.message.c_str());
    return 1;
  }
}
