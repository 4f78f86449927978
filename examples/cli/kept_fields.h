// Fields of the inputs that go with each row of an output.
#pragma once
#include <string>
#include <vector>

#include "records.h"

namespace CLI {
class App;
}

namespace cli {

struct KeptArguments {
  std::string id;
  std::vector<std::string> keep, names;  // names: of all of them in the output
};

// --id, --keep.
void add_kept_options(CLI::App& command, KeptArguments& a);

// Both as one list in `fields`, and their names. taken: names that the output has already. Throws Failure.
void name_fields(KeptArguments& a, Fields& fields, std::vector<std::string> taken);

}  // namespace cli
