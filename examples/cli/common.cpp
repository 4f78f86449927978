#include "common.h"

#include <unistd.h>

namespace cli {

void check(quern_status status, int code) {
  if (status != QUERN_OK) throw Failure{code, quern_last_error()};
}

Model load(const std::string& path) {
  if (!quern_isa()) throw Failure{2, quern_last_error()};
  quern_model* model = nullptr;
  check(quern_model_load(path.c_str(), &model));
  return Model(model);
}

bool stderr_is_terminal() {
  return isatty(STDERR_FILENO) == 1;
}

}  // namespace cli
