#include "row_texts.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "row_writer.h"

namespace cli {

void add_row_text_options(CLI::App& c, RowTextArguments& a) {
  c.add_option("--texts", a.files,
               "files or folders with the texts of the index, one for each row, in order: what quern embed read")
      ->type_name("FILE");
  c.add_option("--texts-field", a.field, "the field or column that holds them (default: text, or the only column)")
      ->type_name("NAME");
  c.add_option("--texts-format", a.format, "what --texts is, whatever its name")
      ->type_name("NAME")
      ->check(CLI::IsMember(text_formats()));
  c.add_option("--id", a.id, "the field or column of --texts that goes with each row as its id")->type_name("NAME");
  c.add_option("--keep", a.keep, "fields or columns of --texts that go with each row under their own names: id,title")
      ->type_name("NAMES")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->take_all();
  c.add_flag_callback(
      "--skip-empty", [&a] { a.on_empty = OnEmpty::skip; }, "the index has no rows for empty texts (--on-empty skip)");
}

RowTexts::RowTexts(const RowTextArguments& a, size_t rows) : a_(a), rows_(rows) {
  if (!a.given() && (!a.field.empty() || !a.id.empty() || !a.keep.empty()))
    throw Failure{2, "--texts-field, --id and --keep are fields of --texts: give --texts FILE"};
  for (const std::string& file : a.files)
    if (file == "-") throw Failure{2, "--texts: expected a file that can be read more than once, found stdin"};
  if (!a.id.empty()) names_.emplace_back("id");
  names_.insert(names_.end(), a.keep.begin(), a.keep.end());
}

void RowTexts::read(const std::vector<int64_t>& wanted) {
  found_.clear();
  if (!a_.given()) return;
  ReadOptions options;
  options.format = a_.format;
  options.fields.text = a_.field;
  options.on_empty = a_.on_empty;
  if (!a_.id.empty()) options.fields.kept.push_back(a_.id);
  options.fields.kept.insert(options.fields.kept.end(), a_.keep.begin(), a_.keep.end());
  TextReader reader({}, find_inputs(a_.files), options, std::make_shared<InputCounts>());
  size_t at = 0, row = 0;
  for (;;) {
    InputTexts batch = reader.next(4096, size_t{4} << 20);
    if (batch.texts.empty()) break;
    for (size_t i = 0; i < batch.texts.size(); ++i, ++row) {
      if (at == wanted.size() || static_cast<int64_t>(row) != wanted[at]) continue;
      found_[wanted[at++]] = {std::move(batch.texts[i]),
                              batch.kept.empty() ? std::vector<std::string>() : std::move(batch.kept[i])};
    }
  }
  if (row != rows_)
    throw Failure{1, "--texts: expected " + std::to_string(rows_) + " texts, one for each row of the index; found " +
                         std::to_string(row)};
}

const std::string& RowTexts::text(int64_t row) const {
  static const std::string none;
  const auto found = found_.find(row);
  return found == found_.end() ? none : found->second.text;
}

std::string RowTexts::members(int64_t row) const {
  const auto found = found_.find(row);
  if (found == found_.end()) return {};
  std::string members;
  for (size_t i = 0; i < names_.size(); ++i) members += ',' + json_string(names_[i]) + ':' + found->second.kept[i];
  return members + ",\"text\":" + json_string(found->second.text);
}

}  // namespace cli
