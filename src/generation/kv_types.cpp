#include "generation/kv_types.h"

#include "error.h"

namespace quern {
namespace {

constexpr const char* kv_names[kKvTypes] = {"f16", "i8", "f32"};  // in the order of KvType

}  // namespace

const char* kv_type_name(int i) {
  return i >= 0 && i < kKvTypes ? kv_names[i] : nullptr;
}

KvType kv_type_of(const std::string& name) {
  std::string known;
  for (int i = 0; i < kKvTypes; ++i) {
    if (name == kv_names[i]) return static_cast<KvType>(i);
    known += (i == 0 ? "" : i + 1 < kKvTypes ? ", " : " or ") + std::string(kv_names[i]);
  }
  throw Error(Status::bad_argument, "kv_type: expected " + known + ", found \"" + name + "\"");
}

uint64_t kv_token_bytes(const LoadedModel& model, KvType type) {
  KvShape shape = model.model->language_head().kv;
  if (shape.layers == 0) return 0;
  shape.type = type;
  return model.device->kv_page_bytes(shape) / static_cast<uint64_t>(kPageTokens);
}

}  // namespace quern
