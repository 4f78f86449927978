#include "pattern.h"
namespace quern {
PatternPtr make_regex_pattern(const std::string&, const JsonField& field) {
  field.fail("is a regular expression that this build, which lacks PCRE2, does not know", Status::unsupported);
}
}  // namespace quern
