// Texts from -p, files, stdin: one text per line, or a field of each object of a JSON-lines file. Streams; holds one
// batch.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "bulk.h"

namespace cli {

class TextReader final : public TextSource {
 public:
  // prompts come first. file: empty for none, "-" for stdin. field: of JSON lines; used when the file ends in .jsonl or
  // `jsonl` is set. Throws Failure.
  TextReader(std::vector<std::string> prompts, const std::string& file, std::string field, bool jsonl);
  ~TextReader() override;
  TextReader(const TextReader&) = delete;
  TextReader& operator=(const TextReader&) = delete;

  std::vector<std::string> next(size_t max_texts, size_t max_bytes) override;
  double fraction() const override;  // of the file's bytes

 private:
  bool read_line(std::string& line);
  void read_field(std::string& line) const;

  std::vector<std::string> prompts_;
  size_t next_prompt_ = 0;
  std::string name_, field_;
  bool jsonl_ = false;
  std::FILE* file_ = nullptr;
  char* buffer_ = nullptr;
  size_t capacity_ = 0;
  uint64_t lines_ = 0, bytes_ = 0;
  double total_ = -1;
};

}  // namespace cli
