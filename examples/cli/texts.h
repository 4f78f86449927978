// Where a command's texts come from, and how they go to the library.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "bulk.h"
#include "common.h"
#include "text_reader.h"

namespace cli {

struct TextArguments {
  std::vector<std::string> texts, files;
  ReadOptions reading;
  std::shared_ptr<InputCounts> counts = std::make_shared<InputCounts>();
};

// -f, -p, --field, --input-format, --jsonl, --shard, --on-empty. zeros: whether the command can give a text a vector of
// zeros.
void add_text_arguments(CLI::App& command, TextArguments& a, bool zeros = false);

// Throws Failure{2} when there are none. what: "embed".
void require_texts(const TextArguments& a, const char* what);

// require_texts, then where they come from. Throws Failure.
std::unique_ptr<TextReader> open_texts(const TextArguments& a, const char* what);

// f(batch) over all texts in order, while the next ones are read. Throws Failure.
void for_each_batch(const TextArguments& a, const char* what, const std::function<void(const TextBatch&)>& f);

// "3 texts, 40 tokens, 1 truncated, 0.012 s, 250.0 texts/s, avx2, 2 threads" on stderr. repeated: texts that were equal
// to earlier ones; earlier: those that another run had done.
void print_summary(const TextArguments& a, const quern_embed_stats& stats, double seconds, int threads,
                   uint64_t repeated = 0, uint64_t earlier = 0);

// A string as JSON, invalid UTF-8 replaced; a number in the shortest form that reads back the same.
std::string json_string(const std::string& text);
std::string json_number(float value);

// A text on one line of at most `width` columns, for tables.
std::string one_line(const std::string& text, size_t width);

void put(const std::string& text);  // to stdout; throws Failure
void finish_stdout();

}  // namespace cli
