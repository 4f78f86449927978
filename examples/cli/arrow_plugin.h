// The plug-in for Parquet and Arrow, which is opened when it is first needed.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "../arrow/quern_arrow.h"
#include "records.h"

namespace cli {

// Throws Failure, which says how to get it; what: that needs it, "a.parquet".
const quern_arrow& arrow_plugin(const std::string& what);

// Rows of a Parquet or Arrow file. name: of it, for messages. nulls: a null is an empty text. Throws Failure.
std::unique_ptr<RecordReader> open_arrow(const std::string& path, const std::string& name, const Fields& fields,
                                         bool nulls);

}  // namespace cli
