// Owners of the library's handles.
#pragma once
#include <quern.h>

#include <memory>

namespace handles {

template <auto free>
struct Freed {
  template <class T>
  void operator()(T* handle) const {
    free(handle);
  }
};
using ModelHandle = std::unique_ptr<quern_model, Freed<quern_model_free>>;
using SessionHandle = std::unique_ptr<quern_session, Freed<quern_session_free>>;
using GeneratorHandle = std::unique_ptr<quern_generator, Freed<quern_generator_free>>;
using EncodedHandle = std::unique_ptr<quern_encoded, Freed<quern_encoded_free>>;
using SpansHandle = std::unique_ptr<quern_spans, Freed<quern_spans_free>>;
using TokensHandle = std::unique_ptr<quern_tokens, Freed<quern_tokens_free>>;
using DetokenizerHandle = std::unique_ptr<quern_detokenizer, Freed<quern_detokenizer_free>>;
using TextSchedulerHandle = std::unique_ptr<quern_text_scheduler, Freed<quern_text_scheduler_free>>;
using TextRequestHandle = std::unique_ptr<quern_text_request, Freed<quern_text_request_free>>;
using GenerationSchedulerHandle = std::unique_ptr<quern_generation_scheduler, Freed<quern_generation_scheduler_free>>;
using GenerationRequestHandle = std::unique_ptr<quern_generation_request, Freed<quern_generation_request_free>>;
using StringHandle = std::unique_ptr<char, Freed<quern_string_free>>;
using IdsHandle = std::unique_ptr<int32_t, Freed<quern_ids_free>>;

}  // namespace handles
