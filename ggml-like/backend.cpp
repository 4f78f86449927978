#include "backend.h"

#include <cstdlib>
#include <string_view>
#include <vector>

#include "dispatch.h"
#include "error.h"

namespace quern {

#if defined(QUERN_BLAS)
extern const Backend openblas_f32;
#endif
#if defined(QUERN_ONEDNN)
extern const Backend onednn_q8, onednn_bf16;
#endif

namespace {

// A new one: a file gemm_<name>.cpp and its entries here.
const std::vector<const Backend*>& backends() {
  static const std::vector<const Backend*> list = {
#if defined(QUERN_BLAS)
    &openblas_f32,
#endif
#if defined(QUERN_ONEDNN)
    &onednn_q8,
    &onednn_bf16,
#endif
  };
  return list;
}

const std::string& wanted() {
  static const std::string name = [] {
    const char* value = std::getenv("QUERN_BACKEND");
    return std::string(value && *value ? value : "native");
  }();
  return name;
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(Status::bad_argument, "back end \"" + wanted() + "\" " + why + "; here can run: " + backend_names());
}

}  // namespace

const char* backend_name() {
  bool built = wanted() == "native";
  for (const Backend* b : backends()) built = built || wanted() == b->name;
  if (!built) refuse("is not in this build");
  return wanted().c_str();
}

const Backend* find_backend(const TypeInfo& type) {
  if (wanted() == "native") return nullptr;
  for (const Backend* b : backends()) {
    if (backend_name() != std::string_view(b->name) || b->type != &type) continue;
    const char* lacks = b->lacks(default_kernels());
    if (lacks) refuse(std::string("needs ") + lacks + " for models of type " + type.name);
    return b;
  }
  refuse(std::string("does not multiply weights of type ") + type.name);
}

std::string backend_names() {
  std::string names = "native";
  for (const Backend* b : backends())
    if (!b->lacks(default_kernels())) names += std::string(", ") + b->name + " (" + b->type->name + ")";
  return names;
}

}  // namespace quern
