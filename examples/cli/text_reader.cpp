#include "text_reader.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "common.h"

namespace cli {

TextReader::TextReader(std::vector<std::string> prompts, const std::string& file, std::string field, bool jsonl)
    : prompts_(std::move(prompts)), name_(file), field_(std::move(field)), jsonl_(jsonl) {
  if (file.empty()) return;
  if (file == "-") {
    name_ = "stdin";
    file_ = stdin;
    return;
  }
  file_ = std::fopen(file.c_str(), "rb");
  struct stat info {};
  if (!file_ || fstat(fileno(file_), &info) != 0) throw Failure{1, file + ": " + std::strerror(errno)};
  if (S_ISDIR(info.st_mode)) throw Failure{1, file + ": expected a file of texts, found a folder"};
  if (S_ISREG(info.st_mode)) total_ = static_cast<double>(info.st_size);
  jsonl_ = jsonl || file.ends_with(".jsonl");
}

TextReader::~TextReader() {
  if (file_ && file_ != stdin) std::fclose(file_);
  std::free(buffer_);
}

bool TextReader::read_line(std::string& line) {
  errno = 0;
  const ssize_t n = getline(&buffer_, &capacity_, file_);  // keeps NUL bytes
  if (n < 0) {
    if (std::ferror(file_)) throw Failure{1, name_ + ": " + std::strerror(errno)};
    if (errno == ENOMEM) throw Failure{1, name_ + ": line " + std::to_string(lines_ + 1) + " does not fit in memory"};
    return false;
  }
  size_t length = static_cast<size_t>(n);
  bytes_ += length;
  ++lines_;
  if (length > 0 && buffer_[length - 1] == '\n') --length;
  if (length > 0 && buffer_[length - 1] == '\r') --length;
  line.assign(buffer_, length);
  return true;
}

void TextReader::read_field(std::string& line) const {
  const auto object = nlohmann::json::parse(line, nullptr, false);
  const std::string where = name_ + ": line " + std::to_string(lines_);
  if (!object.is_object()) throw Failure{1, where + ": expected a JSON object"};
  const auto found = object.find(field_);
  if (found == object.end())
    throw Failure{1, where + ": there is no field \"" + field_ + "\" (name another with --field)"};
  if (!found->is_string())
    throw Failure{1, where + ": field \"" + field_ + "\": expected a string, found " + found->type_name()};
  line = found->get<std::string>();
}

std::vector<std::string> TextReader::next(size_t max_texts, size_t max_bytes) {
  std::vector<std::string> batch;
  size_t bytes = 0;
  std::string line;
  while (batch.size() < max_texts && bytes < max_bytes) {
    if (next_prompt_ < prompts_.size()) {
      line = prompts_[next_prompt_++];
    } else {
      if (!file_ || !read_line(line)) break;
      if (jsonl_) read_field(line);
    }
    bytes += line.size();
    batch.push_back(std::move(line));
  }
  return batch;
}

double TextReader::fraction() const {
  return total_ > 0 ? static_cast<double>(bytes_) / total_ : -1;
}

}  // namespace cli
