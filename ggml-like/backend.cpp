#include "backend.h"

#include <cstdlib>

#include "error.h"

namespace quern {

#if defined(QUERN_BLAS)
extern const Backend openblas_backend;
#endif

namespace {

const Backend* const kBackends[] = {
#if defined(QUERN_BLAS)
    &openblas_backend,
#endif
    nullptr,
};

const Backend* selected() {
  const char* name = std::getenv("QUERN_BACKEND");
  if (!name || !*name || std::string(name) == "native") return nullptr;
  for (const Backend* b : kBackends)
    if (b && std::string(name) == b->name) return b;
  throw Error(Status::bad_argument,
              "back end \"" + std::string(name) + "\" is not in this build; it has: " + backend_names());
}

}  // namespace

const Backend* find_backend(const TypeInfo& type) {
  static const Backend* const backend = selected();
  return backend && backend->type == &type ? backend : nullptr;
}

std::string backend_names() {
  std::string names = "native";
  for (const Backend* b : kBackends)
    if (b) names += std::string(", ") + b->name;
  return names;
}

}  // namespace quern
