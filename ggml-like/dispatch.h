// Which kernels run: the best ISA that this CPU has, or the one that QUERN_ISA names.
#pragma once
#include <span>
#include <string>

#include "kernels.h"
#include "quants/type_info.h"

namespace quern {

// Every table that is built into this library, best first; some may not run on this CPU (KernelTable::runs_here).
std::span<const KernelTable* const> built_kernels();

// The table called `name`; an empty name means the best that runs here. Throws Error{bad_argument} naming those that
// can run when it is not built in or needs what this CPU lacks.
const KernelTable& find_kernels(const std::string& name);

// find_kernels of the environment's QUERN_ISA.
const KernelTable& default_kernels();

// The weight types in the order of KernelTable::types.
std::span<const TypeInfo* const> all_types();
int type_index(const TypeInfo& type);

// Null when there is no type of that name.
const TypeInfo* find_type(const std::string& name);

// A name under which files are written.
struct WrittenType {
  const char* name;
  const TypeInfo* type;
  const Level* level;     // null: the type has none
  const TypeInfo* finer;  // of what Mix says; null: no mixture
};
std::span<const WrittenType> written_types();

}  // namespace quern
