// Owners of the library's handles.
#pragma once
#include <quern.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace server {

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
using DecoderHandle = std::unique_ptr<quern_decoder, Freed<quern_decoder_free>>;
using StringHandle = std::unique_ptr<char, Freed<quern_string_free>>;
using IdsHandle = std::unique_ptr<int32_t, Freed<quern_ids_free>>;

// What the library says went wrong.
struct QuernError {
  quern_status status;
  std::string message;
};
inline void check(quern_status status) {
  if (status != QUERN_OK) throw QuernError{status, quern_last_error()};
}

}  // namespace server
