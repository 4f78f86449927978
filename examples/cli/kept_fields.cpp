#include "kept_fields.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "common.h"
#include "texts.h"

namespace cli {

void add_kept_options(CLI::App& c, KeptArguments& a) {
  c.add_option("--id", a.id, "the field or column that goes with each row as its id (.npy has none)")
      ->type_name("NAME");
  c.add_option("--keep", a.keep, "fields or columns that go with each row under their own names: id,title")
      ->type_name("NAMES")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->take_all();
}

void name_fields(KeptArguments& a, Fields& fields, std::vector<std::string> taken) {
  if (!a.id.empty()) {
    fields.kept.push_back(a.id);
    a.names.emplace_back("id");
  }
  for (const std::string& name : a.keep) {
    fields.kept.push_back(name);
    a.names.push_back(name);
  }
  for (const std::string& name : a.names) {
    if (std::find(taken.begin(), taken.end(), name) != taken.end())
      throw Failure{2, "--keep: the output would have two fields \"" + one_line(name, 64) + "\""};
    taken.push_back(name);
  }
}

}  // namespace cli
