// include/quern.h over the library: conversations by a model's chat template.
#include "c_api.h"

using quern::c_api::guard;
using quern::c_api::require;

int quern_model_has_chat(const quern_model*) {
  return 0;
}
quern_status quern_chat_tokens(const quern_model* model, const char* , size_t , int32_t** , size_t* ) {
  return guard([&] { require(!model, "not yet"); });
}
quern_status quern_chat_text(const quern_model* model, const char* , size_t , char** ) {
  return guard([&] { require(!model, "not yet"); });
}
void quern_ids_free(int32_t* ids) {
  std::free(ids);
}
