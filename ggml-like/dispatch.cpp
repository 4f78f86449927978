#include "dispatch.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "error.h"
#include "isa/tables.h"
#include "quants/list.h"

namespace quern {
namespace {

// Best first. A new ISA: its folder under isa/ and its line here.
constexpr const KernelTable* kTables[] = {
#if defined(__x86_64__)
#if !defined(QUERN_NO_WIDE)
    &avx512_vnni_kernels,
    &avx_vnni_kernels,
#endif
    &avx2_kernels,
#elif defined(__aarch64__)
    &neon_i8mm_kernels,
    &neon_kernels,
#endif
    &scalar_kernels,
};

template <class... Types>
std::span<const TypeInfo* const> infos(TypeList<Types...>) {
  static constexpr const TypeInfo* list[] = {&Types::info...};
  return list;
}

}  // namespace

std::span<const KernelTable* const> built_kernels() {
  return kTables;
}

const KernelTable& find_kernels(const std::string& name) {
  std::string able;
  for (const KernelTable* table : kTables) {
    if (!table->runs_here()) continue;
    if (name.empty() || name == table->name) return *table;
    able += (able.empty() ? "" : ", ") + std::string(table->name);
  }
  for (const KernelTable* table : kTables)
    if (name == table->name)
      throw Error(Status::bad_argument, "ISA \"" + name + "\" needs what this CPU lacks; it can run: " + able);
  throw Error(Status::bad_argument, "ISA \"" + name + "\" is not in this build; this CPU can run: " + able);
}

const KernelTable& default_kernels() {
  const char* forced = std::getenv("QUERN_ISA");
  return find_kernels(forced ? forced : "");
}

std::span<const TypeInfo* const> all_types() {
  return infos(QuantList{});
}

int type_index(const TypeInfo& type) {
  int i = 0;
  while (all_types()[static_cast<size_t>(i)] != &type) ++i;
  return i;
}

const TypeInfo* find_type(const std::string& name) {
  for (const TypeInfo* type : all_types())
    if (name == type->name) return type;
  return nullptr;
}

std::span<const WrittenType> written_types() {
  static const std::vector<WrittenType> list = [] {
    std::vector<WrittenType> made;
    for (const TypeInfo* type : all_types()) {
      const auto stands_in = [&](const TypeInfo* other) { return other->in_groups == type; };
      if (!type->pack || std::any_of(all_types().begin(), all_types().end(), stands_in))
        continue;  // no name of its own
      for (const Level& level : type->levels)
        if (level.name) made.push_back({level.name, type, &level, nullptr});
      if (!type->levels[0].name) made.push_back({type->name, type, nullptr, nullptr});
      if (type->mix.name) made.push_back({type->mix.name, type, nullptr, type->mix.finer});
    }
    return made;
  }();
  return list;
}

}  // namespace quern
