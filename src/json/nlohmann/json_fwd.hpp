// <nlohmann/json_fwd.hpp> for the values of json.hpp beside it.
#pragma once
#ifdef __GNUC__
#pragma GCC system_header  // for include_next
#endif
#include <nlohmann/namespace.h>

#include_next <nlohmann/json_fwd.hpp>
