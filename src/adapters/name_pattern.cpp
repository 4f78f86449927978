#include "adapters/name_pattern.h"

#include <algorithm>
#include <memory>
#include <new>

#include "error.h"
#include "io/json.h"

#if defined(QUERN_PCRE2)
#include "tokenizers/pcre2_library.h"
#endif

namespace quern {
namespace {

constexpr size_t kLongestKey = 4096;

bool is_plain(std::string_view key) {
  return std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

// A dot of a regular expression stands for any one character.
bool ends_in(std::string_view name, std::string_view key) {
  if (name.size() < key.size()) return false;
  const std::string_view end = name.substr(name.size() - key.size());
  if (name.size() > key.size() && name[name.size() - key.size() - 1] != '.') return false;
  return std::equal(end.begin(), end.end(), key.begin(), [](char n, char k) { return k == '.' || k == n; });
}

#if defined(QUERN_PCRE2)

PCRE2_SPTR pcre2_text(std::string_view s) {
  return reinterpret_cast<PCRE2_SPTR>(s.data());
}

bool matches_regex(std::string_view name, const std::string& key, const std::string& where) {
  constexpr uint32_t kSteps = 100'000, kHeap = 4 << 10;  // KiB
  const std::string source = "(.*\\.)?(" + key + ")$";
  int number = 0;
  size_t place = 0;
  const std::unique_ptr<pcre2_code, ReleasePcre2<&Pcre2::code_free>> code(
      pcre2().compile(pcre2_text(source), source.size(), PCRE2_UTF | PCRE2_ANCHORED | PCRE2_NEVER_BACKSLASH_C, &number,
                      &place, nullptr));
  if (!code) {
    PCRE2_UCHAR message[256];
    pcre2().get_error_message(number, message, sizeof message);
    throw Error(Status::bad_file, where + ": '" + printable(key) +
                                      "' is no regular expression: " + reinterpret_cast<const char*>(message));
  }
  const std::unique_ptr<pcre2_match_data, ReleasePcre2<&Pcre2::match_data_free>> match(
      pcre2().match_data_create(1, nullptr));
  const std::unique_ptr<pcre2_match_context, ReleasePcre2<&Pcre2::match_context_free>> context(
      pcre2().match_context_create(nullptr));
  if (!match || !context) throw std::bad_alloc();
  pcre2().set_match_limit(context.get(), kSteps);
  pcre2().set_depth_limit(context.get(), kSteps);
  pcre2().set_heap_limit(context.get(), kHeap);
  const int found = pcre2().match(code.get(), pcre2_text(name), name.size(), 0, 0, match.get(), context.get());
  if (found >= 0 || found == PCRE2_ERROR_NOMATCH) return found >= 0;
  if (found == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
  throw Error(Status::bad_file, where + ": '" + printable(key) + "' takes too many steps to match '" + printable(name) +
                                    "'; spell the modules' names out");
}

#else

bool matches_regex(std::string_view, const std::string& key, const std::string& where) {
  throw Error(Status::unsupported, where + ": '" + printable(key) +
                                       "' is a regular expression, which this build of quern, without PCRE2, does not "
                                       "read; spell the modules' names out");
}

#endif

}  // namespace

bool matches_module(std::string_view name, const std::string& key, const std::string& where) {
  if (key.size() > kLongestKey)
    throw Error(Status::bad_file, where + ": expected keys of at most " + std::to_string(kLongestKey) +
                                      " bytes, found one of " + std::to_string(key.size()));
  return is_plain(key) ? ends_in(name, key) : matches_regex(name, key, where);
}

}  // namespace quern
