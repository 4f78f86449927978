#include "text_reader.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "arrow_plugin.h"
#include "common.h"
#include "content.h"
#include "interrupts.h"
#include "os/files.h"

namespace cli {

namespace {

// The first bytes of a file; none of what is no file, for they could not be read again.
std::string head_of(const std::string& path) {
  os::FileInfo info;
  if (path == "-" || !os::info_of(path, info) || !info.regular) return {};
  const auto close = [](std::FILE* f) { std::fclose(f); };
  const std::unique_ptr<std::FILE, decltype(close)> file(os::open_stream(path, "rb"), close);
  std::string head(kHeadBytes, '\0');
  head.resize(file ? std::fread(head.data(), 1, head.size(), file.get()) : 0);
  return head;
}

}  // namespace

TextReader::TextReader(std::vector<std::string> prompts, Inputs inputs, ReadOptions options,
                       std::shared_ptr<InputCounts> counts)
    : prompts_(std::move(prompts)),
      inputs_(std::move(inputs)),
      options_(std::move(options)),
      counts_(std::move(counts)),
      end_file_(inputs_.files.size()) {
  if (options_.fields.wanted() && inputs_.files.empty())
    throw Failure{2, "--field, --keep and --id: texts of -p have no fields; give -f FILE"};
  if (!options_.fields.kept.empty() && !prompts_.empty())
    throw Failure{2, "--keep and --id: texts of -p have no fields; leave -p or them out"};
  if (!options_.shard.whole() && (inputs_.bytes < 0))
    throw Failure{2, "--shard: texts are counted first, which stdin and pipes allow once; write them to a file"};
}

Shard shard_of(const std::string& text) {
  Shard shard;
  const char* const end = text.data() + text.size();
  const auto [slash, first] = std::from_chars(text.data(), end, shard.index);
  const bool both = first == std::errc() && slash != end && *slash == '/';
  const auto [last, second] =
      both ? std::from_chars(slash + 1, end, shard.count) : std::from_chars(end, end, shard.count);
  if (!both || second != std::errc() || last != end || shard.count == 0 || shard.count > 1'000'000 ||
      shard.index == 0 || shard.index > shard.count)
    throw Failure{2, "--shard: expected a part and how many there are, as 1/4 to 4/4, found \"" + text + '"'};
  return shard;
}

// That opens it: what is on the Hub is there first, while what follows it is on its way.
std::string TextReader::path_of(const Input& input) {
  fetched_ = input.dataset ? input.dataset->take(input.of_dataset) : nullptr;
  if (next_file_ < end_file_ && inputs_.files[next_file_].dataset)
    inputs_.files[next_file_].dataset->fetch_ahead(inputs_.files[next_file_].of_dataset);
  return fetched_ ? fetched_->path() : input.name;
}

bool TextReader::open_next() {
  records_.reset();
  source_.reset();
  fetched_.reset();
  if (next_file_ == inputs_.files.size()) return false;
  file_mark_ = {next_file_, mark_, counts_->empty, limit_, end_file_, true};
  const Input& input = inputs_.files[next_file_++];
  const std::string path = path_of(input);
  if (options_.format.empty() && is_columnar(head_of(path))) {
    records_ = open_arrow(path, input.name, options_.fields,
                          options_.on_empty == OnEmpty::skip || options_.on_empty == OnEmpty::zero);
    return true;
  }
  source_ = std::make_unique<ByteSource>(path, input.name);
  records_ = open_records(*source_, text_format(input.name, options_.format), options_.fields);
  return true;
}

bool TextReader::read_some(Record& record) {
  if (next_prompt_ < prompts_.size()) {
    record.text = prompts_[next_prompt_++];
    return true;
  }
  while (!records_ || !records_->next(record))
    if (!open_next()) return false;
  return true;
}

// Where a part begins is known once all texts are counted: everything is read once, and then the files that the part
// lies in.
void TextReader::begin_shard() {
  if (std::exchange(begun_, true) || options_.shard.whole()) return;
  const uint64_t index = options_.shard.index, count = options_.shard.count;
  ReadOptions all = options_;
  all.shard = {};
  TextReader counter(prompts_, inputs_, all, std::make_shared<InputCounts>());
  Record record;
  uint64_t texts = 0;
  std::vector<uint64_t> before(inputs_.files.size());  // texts before each file
  size_t files = 0;
  for (; counter.read_some(record); ++texts) {
    for (; files < counter.next_file_; ++files) before[files] = texts;
    Interrupts::check();
  }
  for (; files < before.size(); ++files) before[files] = texts;
  const auto begin_of = [&](uint64_t part) { return texts * part / count; };  // count is at most a million
  uint64_t at = 0;
  const uint64_t begin = begin_of(index - 1), end = begin_of(index);
  for (size_t i = 0; i < before.size() && before[i] <= begin; ++i) at = before[i], next_file_ = i;
  if (at > 0) next_prompt_ = prompts_.size();
  end_file_ = static_cast<size_t>(std::lower_bound(before.begin(), before.end(), end) - before.begin());
  for (; at < begin && read_some(record); ++at) Interrupts::check();
  limit_ = end - begin;
  file_mark_.known = false;  // it may be of a file that is left in the middle
}

void TextReader::begin_at(const FileMark& mark) {
  const auto of_hub = [](const Input& input) { return input.dataset != nullptr; };
  const bool within = mark.known && mark.file < inputs_.files.size() && mark.end_file <= inputs_.files.size();
  if (!within ||
      !std::all_of(inputs_.files.begin(), inputs_.files.begin() + static_cast<std::ptrdiff_t>(mark.file) + 1, of_hub))
    return;
  begun_ = true;
  next_prompt_ = prompts_.size();
  next_file_ = mark.file;
  mark_ = mark.before;
  counts_->empty = mark.empty;
  limit_ = mark.limit;
  end_file_ = mark.end_file;
}

bool TextReader::read(Record& record) {
  begin_shard();
  if (mark_.records == limit_ || !read_some(record)) return false;
  ++mark_.records;
  const auto add = [&](const std::string& text) {
    const uint64_t size = text.size();
    mark_.crc = static_cast<uint32_t>(crc32_z(mark_.crc, reinterpret_cast<const Bytef*>(&size), sizeof size));
    mark_.crc = static_cast<uint32_t>(crc32_z(mark_.crc, reinterpret_cast<const Bytef*>(text.data()), text.size()));
    mark_.bytes += size;
  };
  add(record.text);
  for (const std::string& kept : record.kept) add(kept);
  return true;
}

bool TextReader::take(const Record& record, bool& empty) {
  empty = record.text.find_first_not_of(" \t\r\n\v\f") == std::string::npos;
  if (empty) {
    if (options_.on_empty == OnEmpty::error)
      throw Failure{1, where() + ": the text is empty (--on-empty says what else to do with such)"};
    ++counts_->empty;
    if (options_.on_empty == OnEmpty::skip) return false;
  }
  ++mark_.texts;
  return true;
}

ReadMark TextReader::skip(const ReadMark& to) {
  Record record;
  bool empty = false;
  while (mark_.records < to.records && read(record)) {
    take(record, empty);
    Interrupts::check();
  }
  return mark_;
}

std::string TextReader::where() const {
  return records_ ? records_->where() : "-p " + std::to_string(next_prompt_);
}

InputTexts TextReader::next(size_t max_texts, size_t max_bytes) {
  InputTexts batch;
  size_t bytes = 0;
  Record record;
  bool empty = false;
  while (batch.texts.size() < max_texts && bytes < max_bytes && read(record)) {
    if (!take(record, empty)) continue;
    if (empty && options_.on_empty == OnEmpty::zero) batch.zeros.push_back(batch.texts.size());
    bytes += record.text.size();
    for (const std::string& kept : record.kept) bytes += kept.size();
    batch.texts.push_back(std::move(record.text));
    if (!options_.fields.kept.empty()) batch.kept.push_back(std::move(record.kept));
  }
  batch.read = mark_;
  batch.file = file_mark_;
  return batch;
}

double TextReader::fraction() const {
  if (limit_ != UINT64_MAX) return limit_ == 0 ? 1 : static_cast<double>(mark_.records) / static_cast<double>(limit_);
  if (inputs_.bytes <= 0 || next_file_ == 0) return -1;
  const size_t at = next_file_ - 1;
  const double end = next_file_ < inputs_.before.size() ? inputs_.before[next_file_] : inputs_.bytes;
  const double consumed = source_    ? static_cast<double>(source_->consumed())
                          : records_ ? records_->fraction() * (end - inputs_.before[at])
                                     : end - inputs_.before[at];
  return (inputs_.before[at] + consumed) / inputs_.bytes;
}

}  // namespace cli
