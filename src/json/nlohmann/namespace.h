// A name of their own for quern's JSON values: a program that links quern's static library may have nlohmann's as they
// are.
#pragma once
#define NLOHMANN_JSON_NAMESPACE nlohmann::quern_values
#define NLOHMANN_JSON_NAMESPACE_BEGIN \
  namespace nlohmann {                \
  inline namespace quern_values {
#define NLOHMANN_JSON_NAMESPACE_END \
  }                                 \
  }
