// What the parts of the C interface share: its handles, and catching everything that is thrown.
#pragma once
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "engine.h"
#include "error.h"
#include "quern.h"

struct quern_model {
  std::shared_ptr<const quern::LoadedModel> rep;
};
struct quern_session {
  std::unique_ptr<quern::Session> rep;
};

namespace quern::c_api {

// Keeps the message as the calling thread's last error.
quern_status failed(Status status, const char* message) noexcept;

// For quern_string_free.
char* copy_string(const std::string& text);

template <class F>
quern_status guard(F&& body) noexcept {
  try {
    body();
    return QUERN_OK;
  } catch (const Error& e) {
    return failed(e.status, e.message.c_str());
  } catch (const std::bad_alloc&) {
    return failed(Status::out_of_memory, "out of memory");
  } catch (const std::exception& e) {
    return failed(Status::internal, e.what());
  } catch (...) {
    return failed(Status::internal, "unknown error");
  }
}

inline void require(bool condition, const char* message) {
  if (!condition) throw Error(Status::bad_argument, message);
}

// The caller's options over the defaults: a caller built against an older header has a smaller struct.
template <class T>
T merged(const T* options, T defaults) {
  if (!options) return defaults;
  require(options->size >= sizeof(size_t) && options->size <= 4096,
          "options.size is wrong: fill options in with their _default function");
  std::memcpy(static_cast<void*>(&defaults), options, std::min(options->size, sizeof(T)));
  return defaults;
}

}  // namespace quern::c_api
