// tokenizer_lines FILE [--offsets] [--types] [--hex] [--windows] [--tables] [--time N] < TEXTS: what quern's tokenizer
// makes of each line, for compare_tokenizer.py, compare_stages.py and speed_tokenizer.py. FILE is a tokenizer.json or a
// GGUF file. --hex: a line is a text in hexadecimal, or a pair with a comma between. --windows: all encodings that
// the file's truncation makes of it; {"error": message} where that fails.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "error.h"
#include "gguf/reader.h"
#include "hub/hf_folder.h"
#include "io/mapped_file.h"
#include "tokenizers/from_gguf.h"
#include "tokenizers/table.h"
#include "tokenizers/tokenizer.h"

using namespace quern;

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string file;
  bool offsets = false, types = false, hex = false, windows = false, tables = false;
  int repeats = 0;
};

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

std::string read_json(const std::string& path) {
  if (is_folder(path)) return HfFolder::open(path).tokenizer_json;
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

template <class T>
std::string list(const std::vector<T>& values) {
  std::string out;
  for (const T& v : values) out += (out.empty() ? "" : ",") + std::to_string(v);
  return "[" + out + "]";
}

std::string describe(const Encoding& e, const Options& o) {
  if (!o.offsets && !o.types) return list(e.ids);
  std::string out = "[" + list(e.ids);
  if (o.offsets) {
    std::string spans;
    for (const Span& s : e.offsets)
      spans += (spans.empty() ? "[" : ",[") + std::to_string(s.begin) + "," + std::to_string(s.end) + "]";
    out += ",[" + spans + "]";
  }
  if (o.types) out += "," + list(e.type_ids);
  return out + "]";
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

void answer(const Tokenizer& tokenizer, const std::string& line, const Options& o) {
  EncodeOptions options;
  if (o.windows) options = tokenizer.file_truncation().value_or(options);
  options.want_offsets = o.offsets;
  const size_t comma = o.hex ? line.find(',') : std::string::npos;
  const std::string a = o.hex ? from_hex(line.substr(0, comma)) : line;
  const std::string b = comma == std::string::npos ? "" : from_hex(line.substr(comma + 1));
  if (!o.windows) {
    Encoding encoding;
    if (comma == std::string::npos) {
      tokenizer.encode(a, options, encoding);
    } else {
      tokenizer.encode_pair(a, b, options, encoding);
    }
    std::puts(describe(encoding, o).c_str());
    return;
  }
  std::string out;
  try {
    for (const Encoding& e : comma == std::string::npos ? tokenizer.encode_windows(a, options)
                                                        : tokenizer.encode_pair_windows(a, b, options))
      out += (out.empty() ? "" : ",") + describe(e, o);
    std::puts(("[" + out + "]").c_str());
  } catch (const Error& e) {
    std::puts(("{\"error\":\"" + e.message + "\"}").c_str());
  }
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
  for (const std::string& line : lines) answer(*tokenizer, line, o);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--offsets")
      o.offsets = true;
    else if (argument == "--types")
      o.types = true;
    else if (argument == "--hex")
      o.hex = true;
    else if (argument == "--windows")
      o.windows = true;
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
