// Look-ups over the generated tables. See unicode.h.
#include "unicode.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace quern::unicode {
namespace {

struct FlagRun {
  uint32_t first;  // up to the next run's first
  uint32_t flags;
};
struct LowerRun {
  char32_t first, last, step;
  int32_t delta;
};
struct ClassRun {
  char32_t first, last;
  uint8_t combining_class;
};
struct Decomposition {
  char32_t code;
  uint16_t begin, size;  // in decomposed[]
};
struct Composition {
  char32_t first, second, composed;
};
struct ScriptRun {
  char32_t first;  // up to the next run's first
  uint8_t script;
};
struct NamedSet {
  const char* name;
  uint16_t begin, end;  // in named_ranges[]
};

#include "unicode_data.inc"

constexpr size_t n_index = 0x1100, max_blocks = 352;
constexpr char32_t s_base = 0xAC00, l_base = 0x1100, v_base = 0x1161, t_base = 0x11A7;
constexpr uint32_t n_l = 19, n_v = 21, n_t = 28, n_s = n_l * n_v * n_t;

struct FlagTable {
  uint16_t index[n_index];
  uint32_t blocks[max_blocks * 256];
};

// Spreads the runs over blocks at compile time; blocks that lie within one run are shared.
consteval FlagTable make_flag_table() {
  FlagTable table{};
  uint32_t uniform_flags[64]{};
  uint16_t uniform_block[64]{};
  size_t n_blocks = 0, n_uniform = 0, run = 0;
  const size_t n_runs = std::size(flag_runs);
  for (size_t block = 0; block < n_index; ++block) {
    const uint32_t begin = static_cast<uint32_t>(block * 256), end = begin + 256;
    while (run + 1 < n_runs && flag_runs[run + 1].first <= begin) ++run;
    const bool uniform = run + 1 == n_runs || flag_runs[run + 1].first >= end;
    size_t known = 0;
    while (uniform && known < n_uniform && uniform_flags[known] != flag_runs[run].flags) ++known;
    if (uniform && known < n_uniform) {
      table.index[block] = uniform_block[known];
      continue;
    }
    if (uniform) {
      uniform_flags[n_uniform] = flag_runs[run].flags;
      uniform_block[n_uniform++] = static_cast<uint16_t>(n_blocks);
    }
    table.index[block] = static_cast<uint16_t>(n_blocks);
    size_t r = run;
    for (uint32_t c = begin; c < end; ++c) {
      if (r + 1 < n_runs && flag_runs[r + 1].first == c) ++r;
      table.blocks[n_blocks * 256 + (c - begin)] = flag_runs[r].flags;
    }
    ++n_blocks;
  }
  return table;
}

constexpr FlagTable flag_table = make_flag_table();

}  // namespace

const char category_names[n_categories][3] = {"Cn", "Cc", "Cf", "Co", "Cs", "Lu", "Ll", "Lt", "Lm", "Lo",
                                              "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe",
                                              "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp"};
constinit const uint16_t* const flag_index = flag_table.index;
constinit const uint32_t* const flag_blocks = flag_table.blocks;

char32_t lower(char32_t code) noexcept {
  if (code == dotted_capital_i) return U'i';
  const LowerRun* run = std::upper_bound(std::begin(lower_runs), std::end(lower_runs), code,
                                         [](char32_t c, const LowerRun& r) { return c < r.first; });
  if (run == std::begin(lower_runs)) return code;
  --run;
  if (code > run->last || (code - run->first) % run->step != 0) return code;
  return static_cast<char32_t>(static_cast<int32_t>(code) + run->delta);
}

uint8_t combining_class(char32_t code) noexcept {
  const ClassRun* run = std::upper_bound(std::begin(class_runs), std::end(class_runs), code,
                                         [](char32_t c, const ClassRun& r) { return c < r.first; });
  return run != std::begin(class_runs) && code <= run[-1].last ? run[-1].combining_class : 0;
}

int decompose(char32_t code, bool compatible, char32_t out[longest_decomposition]) noexcept {
  if (code - s_base < n_s) {
    const uint32_t s = code - s_base;
    out[0] = l_base + s / (n_v * n_t);
    out[1] = v_base + s % (n_v * n_t) / n_t;
    out[2] = t_base + s % n_t;
    return s % n_t == 0 ? 2 : 3;
  }
  const auto before = [](const Decomposition& x, char32_t c) { return x.code < c; };
  const auto copy = [code, out, before](const auto& table) {
    const Decomposition* d = std::lower_bound(std::begin(table), std::end(table), code, before);
    if (d == std::end(table) || d->code != code) return 0;
    std::copy_n(decomposed + d->begin, d->size, out);
    return int{d->size};
  };
  if (const int n = compatible ? copy(decompositions_k) : 0) return n;  // what differs from the canonical ones
  if (const int n = copy(decompositions)) return n;
  out[0] = code;
  return 1;
}

Break grapheme_break(char32_t code) noexcept {
  if (code - s_base < n_s) return (code - s_base) % n_t == 0 ? Break::lv : Break::lvt;
  return static_cast<Break>(flags(code) >> 16 & 15);
}

uint8_t script(char32_t code) noexcept {
  const ScriptRun* run = std::upper_bound(std::begin(script_runs), std::end(script_runs), code,
                                          [](char32_t c, const ScriptRun& r) { return c < r.first; });
  return run[-1].script;  // the first run starts at 0
}

std::span<const Range> named_set(std::string_view property) noexcept {
  for (const NamedSet& s : named_sets) {
    if (property == s.name) return std::span(named_ranges).subspan(s.begin, s.end - s.begin);
  }
  return {};
}

char32_t compose(char32_t first, char32_t second) noexcept {
  if (first - l_base < n_l && second - v_base < n_v) {
    return s_base + ((first - l_base) * n_v + (second - v_base)) * n_t;
  }
  if (first - s_base < n_s && (first - s_base) % n_t == 0 && second - t_base - 1 < n_t - 1) {
    return first + (second - t_base);
  }
  const auto before = [](const Composition& x, const Composition& y) {
    return x.first != y.first ? x.first < y.first : x.second < y.second;
  };
  const Composition* c =
      std::lower_bound(std::begin(compositions), std::end(compositions), Composition{first, second, 0}, before);
  return c != std::end(compositions) && c->first == first && c->second == second ? c->composed : 0;
}

}  // namespace quern::unicode
