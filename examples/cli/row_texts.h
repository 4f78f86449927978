// The texts that an index's rows were made of, in another file: those of some rows, with their fields.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "texts.h"

namespace cli {

struct RowTextArguments {
  std::vector<std::string> files, keep;
  std::string field, id, format;
  OnEmpty on_empty = OnEmpty::keep;
  bool given() const { return !files.empty(); }
};

// --texts, --texts-field, --texts-format, --id, --keep, --on-empty.
void add_row_text_options(CLI::App& command, RowTextArguments& a);

class RowTexts {
 public:
  // rows: of the index, as many as there have to be texts. Throws Failure{2} for fields without --texts.
  RowTexts(const RowTextArguments& a, size_t rows);

  // Reads the texts of these rows, in rising order; what was read before is forgotten. Throws Failure.
  void read(const std::vector<int64_t>& wanted);
  const std::string& text(int64_t row) const;  // "" without --texts
  std::string members(int64_t row) const;      // ,"id":1,"text":"a"; "" without --texts

 private:
  struct One {
    std::string text;
    std::vector<std::string> kept;
  };
  const RowTextArguments& a_;
  const size_t rows_;
  std::vector<std::string> names_;  // of kept
  std::map<int64_t, One> found_;
};

}  // namespace cli
