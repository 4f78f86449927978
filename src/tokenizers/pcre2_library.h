// PCRE2's functions. In builds with QUERN_PCRE2 alone.
#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "shared_library.h"

namespace quern {

// PCRE2, opened when a regular expression first needs it, which few do.
struct Pcre2 {
  SharedLibrary library{"pcre2-8", "0", "this regular expression needs", "libpcre2-8-0",
                        "take a model without such expressions"};
  decltype(::pcre2_code_free)* code_free = library["pcre2_code_free_8"];
  decltype(::pcre2_compile)* compile = library["pcre2_compile_8"];
  decltype(::pcre2_compile_context_create)* compile_context_create = library["pcre2_compile_context_create_8"];
  decltype(::pcre2_compile_context_free)* compile_context_free = library["pcre2_compile_context_free_8"];
  decltype(::pcre2_get_error_message)* get_error_message = library["pcre2_get_error_message_8"];
  decltype(::pcre2_get_ovector_count)* get_ovector_count = library["pcre2_get_ovector_count_8"];
  decltype(::pcre2_get_ovector_pointer)* get_ovector_pointer = library["pcre2_get_ovector_pointer_8"];
  decltype(::pcre2_jit_compile)* jit_compile = library["pcre2_jit_compile_8"];
  decltype(::pcre2_jit_stack_assign)* jit_stack_assign = library["pcre2_jit_stack_assign_8"];
  decltype(::pcre2_jit_stack_create)* jit_stack_create = library["pcre2_jit_stack_create_8"];
  decltype(::pcre2_jit_stack_free)* jit_stack_free = library["pcre2_jit_stack_free_8"];
  decltype(::pcre2_match)* match = library["pcre2_match_8"];
  decltype(::pcre2_match_context_create)* match_context_create = library["pcre2_match_context_create_8"];
  decltype(::pcre2_match_context_free)* match_context_free = library["pcre2_match_context_free_8"];
  decltype(::pcre2_match_data_create)* match_data_create = library["pcre2_match_data_create_8"];
  decltype(::pcre2_match_data_create_from_pattern)* match_data_create_from_pattern =
      library["pcre2_match_data_create_from_pattern_8"];
  decltype(::pcre2_match_data_free)* match_data_free = library["pcre2_match_data_free_8"];
  decltype(::pcre2_set_callout)* set_callout = library["pcre2_set_callout_8"];
  decltype(::pcre2_set_depth_limit)* set_depth_limit = library["pcre2_set_depth_limit_8"];
  decltype(::pcre2_set_heap_limit)* set_heap_limit = library["pcre2_set_heap_limit_8"];
  decltype(::pcre2_set_match_limit)* set_match_limit = library["pcre2_set_match_limit_8"];
  decltype(::pcre2_set_newline)* set_newline = library["pcre2_set_newline_8"];
  decltype(::pcre2_set_parens_nest_limit)* set_parens_nest_limit = library["pcre2_set_parens_nest_limit_8"];
};

inline const Pcre2& pcre2() {  // throws Error unsupported where it is not there
  static const Pcre2 loaded;
  return loaded;
}

template <auto release>
struct ReleasePcre2 {
  template <class T>
  void operator()(T* p) const {
    (pcre2().*release)(p);
  }
};

}  // namespace quern
