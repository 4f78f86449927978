// Regular expressions by PCRE2, which is opened when it is first needed. It is asked for matches alone: what characters
// there are comes from quern's tables, as its own are of an older Unicode.
#include <array>
#include <memory>

#include "pattern.h"
#include "pcre2_library.h"
#include "regex_syntax.h"
#include "spares.h"
#include "utf8.h"

namespace quern {
namespace {

constexpr uint32_t match_limit = 1'000'000;  // backtracking of one match; of the interpreter also its depth
constexpr size_t small_text = 4096;          // bytes; longer ones are matched with every step counted
constexpr uint64_t steps_per_byte = 1000;    // … and may take so many
constexpr size_t jit_stack_min = 32 << 10, jit_stack_max = 64 << 20, max_compiled_source = 1 << 20;
constexpr uint32_t heap_limit = 64 << 10;  // KiB

using Code = std::unique_ptr<pcre2_code, ReleasePcre2<&Pcre2::code_free>>;
using Match = std::unique_ptr<pcre2_match_data, ReleasePcre2<&Pcre2::match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, ReleasePcre2<&Pcre2::match_context_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, ReleasePcre2<&Pcre2::jit_stack_free>>;

PCRE2_SPTR text_of(std::string_view s) {
  return reinterpret_cast<PCRE2_SPTR>(s.data());
}

// The work of one search: every part of the expression that is tried, and how far apart they are.
struct Steps {
  uint64_t left;
  size_t at = 0;
};

int count_step(pcre2_callout_block* block, void* data) {
  Steps& steps = *static_cast<Steps*>(data);
  const size_t at = block->current_position;
  const uint64_t cost = 1 + (at > steps.at ? at - steps.at : steps.at - at);
  steps.at = at;
  if (cost > steps.left) return PCRE2_ERROR_MATCHLIMIT;
  steps.left -= cost;
  return 0;
}

// The buffers of one search.
struct Matcher {
  Match match{pcre2().match_data_create(1, nullptr)};
  MatchContext context{pcre2().match_context_create(nullptr)};
  JitStack stack{pcre2().jit_stack_create(jit_stack_min, jit_stack_max, nullptr)};
  std::string bytes;

  Matcher() {
    if (!match || !context) throw std::bad_alloc();
    pcre2().set_match_limit(context.get(), match_limit);
    pcre2().set_depth_limit(context.get(), match_limit);
    pcre2().set_heap_limit(context.get(), heap_limit);
    if (stack) pcre2().jit_stack_assign(context.get(), nullptr, stack.get());
  }
};

Spares<Matcher>& matchers() {
  static Spares<Matcher> all;
  return all;
}

Code compile(const std::string& source, uint32_t options, std::string& error) {
  int number = 0;
  size_t place = 0;
  const std::unique_ptr<pcre2_compile_context, ReleasePcre2<&Pcre2::compile_context_free>> context(
      pcre2().compile_context_create(nullptr));
  if (!context) throw std::bad_alloc();
  pcre2().set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2().set_parens_nest_limit(context.get(), 200);
  Code code(pcre2().compile(text_of(source), source.size(), PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | options, &number,
                            &place, context.get()));
  if (!code) {
    PCRE2_UCHAR message[256];
    pcre2().get_error_message(number, message, sizeof message);
    error = reinterpret_cast<const char*>(message);
    return code;
  }
  pcre2().jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // without it the interpreter matches
  return code;
}

// PCRE2's own categories, read off it in one pass over all characters.
std::array<CodeSet, unicode::n_categories> read_categories() {
  std::string all, source, error;
  for (char32_t c = 0; c <= CodeSet::last_code; ++c) {
    char utf8[4];
    if (c < 0xD800 || c > 0xDFFF) all.append(utf8, encode_utf8(c, utf8));
  }
  for (int i = 0; i < unicode::n_categories; ++i) {
    source += (i ? "|(\\p{" : "(\\p{") + std::string(unicode::category_names[i]) + "}+)";
  }
  const Code code = compile(source, 0, error);
  const Match match(code ? pcre2().match_data_create_from_pattern(code.get(), nullptr) : nullptr);
  std::array<std::vector<unicode::Range>, unicode::n_categories> ranges;
  size_t at = 0;
  while (match && at < all.size()) {
    if (pcre2().match(code.get(), text_of(all), all.size(), at, PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK, match.get(),
                      nullptr) < 0) {
      break;
    }
    const size_t* spans = pcre2().get_ovector_pointer(match.get());
    const size_t group = pcre2().get_ovector_count(match.get());
    for (size_t i = 1; i < group; ++i) {
      if (spans[2 * i] != at || spans[2 * i + 1] == at) continue;
      ranges[i - 1].push_back({decode_utf8(all.data() + at).code, decode_utf8_before(all.data(), spans[1]).code});
      break;
    }
    at = spans[1];
  }
  std::array<CodeSet, unicode::n_categories> sets;
  if (at < all.size()) return sets;  // then all sets are written range by range
  for (size_t i = 0; i < sets.size(); ++i) sets[i] = CodeSet(std::move(ranges[i]));
  return sets;
}

// A set as the categories of PCRE2's that lie within it, which it looks up in a table, and the ranges that remain.
std::string write_set(const CodeSet& set) {
  static const std::array<CodeSet, unicode::n_categories> categories = read_categories();
  std::string out;
  CodeSet rest = set;
  for (int i = 0; i < unicode::n_categories; ++i) {
    // Without regard to case PCRE2 takes these three for one.
    if (i == unicode::Lu || i == unicode::Ll || i == unicode::Lt) continue;
    if (categories[i].ranges().size() < 4 || !(categories[i] - set).empty()) continue;
    out += "\\p{" + std::string(unicode::category_names[i]) + "}";
    rest = rest - categories[i];
  }
  const CodeSet cased = categories[unicode::Lu] | categories[unicode::Ll] | categories[unicode::Lt];
  if ((cased - set).empty()) {
    out += "\\p{L&}";
    rest = rest - cased;
  }
  return out + write_ranges(rest);
}

class RegexPattern final : public Pattern {
 public:
  RegexPattern(Code plain, Code counted, std::string where)
      : plain_(std::move(plain)), counted_(std::move(counted)), where_(std::move(where)) {}

  void find(const Char* text, Span word, std::vector<Span>& matches) const override {
    const auto lease = matchers().take();
    Matcher& m = *lease;
    m.bytes.clear();
    for (uint32_t i = word.begin; i < word.end; ++i) {
      char utf8[4];
      m.bytes.append(utf8, encode_utf8(text[i].code, utf8));
    }
    Steps steps{m.bytes.size() * steps_per_byte};
    const bool count = m.bytes.size() > small_text;
    pcre2().set_callout(m.context.get(), count ? count_step : nullptr, &steps);
    const pcre2_code* code = (count ? counted_ : plain_).get();
    // Bytes become characters on the way: matches come in order.
    size_t byte = 0, last_end = SIZE_MAX;
    uint32_t at = word.begin;
    const auto char_at = [&](size_t target) {
      for (; byte < target; ++at) byte += decode_utf8(m.bytes.data() + byte).size;
      return at;
    };
    for (size_t from = 0; from <= m.bytes.size();) {
      const int rc = pcre2().match(code, text_of(m.bytes), m.bytes.size(), from, PCRE2_NO_UTF_CHECK, m.match.get(),
                                   m.context.get());
      if (rc == PCRE2_ERROR_NOMATCH) break;
      if (rc < 0) fail(rc);
      const size_t* span = pcre2().get_ovector_pointer(m.match.get());
      if (span[0] == span[1] && span[1] == last_end) {  // nothing right behind a match is no match
        if (from == m.bytes.size()) break;
        from += decode_utf8(m.bytes.data() + from).size;
        continue;
      }
      from = last_end = span[1];
      const uint32_t begin = char_at(span[0]);
      matches.push_back({begin, char_at(span[1])});
    }
    if (count) std::string().swap(m.bytes);
  }

 private:
  [[noreturn]] void fail(int rc) const {
    throw Error(Status::bad_argument,
                where_ + (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT
                              ? " takes too many steps on this text"
                              : " fails on this text (PCRE2's error " + std::to_string(rc) + ")"));
  }

  Code plain_, counted_;
  std::string where_;
};

}  // namespace

PatternPtr make_regex_pattern(const std::string& regex, const JsonField& field) {
  const std::string source = to_pcre2(regex, write_set, field);
  if (source.size() > max_compiled_source)
    field.fail("is too large once its classes are spelt out", Status::unsupported);
  std::string error;
  Code plain = compile(source, 0, error);
  Code counted = plain ? compile(source, PCRE2_AUTO_CALLOUT, error) : nullptr;
  if (!counted) field.fail("is not a regular expression that PCRE2 reads: " + error, Status::unsupported);
  return std::make_unique<RegexPattern>(std::move(plain), std::move(counted), field.where());
}

}  // namespace quern
