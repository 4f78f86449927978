// What quern embed makes of a batch of texts, and the sink that takes it. Equal texts go through the model once.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "bulk_run.h"
#include "row_writer.h"
#include "text_table.h"

namespace cli {

class EmbedOutput {
 public:
  virtual ~EmbedOutput() = default;
  virtual Write run(const TextBatch& batch, const quern_embed_options& options, RunCounts& counts) = 0;
  virtual RowSink& sink() = 0;
};

constexpr size_t kTableBytes = size_t{128} << 20;  // of texts that are remembered, with their results

// limit: tokens of a text that stays in one piece; table_bytes: of texts that are remembered.
std::unique_ptr<EmbedOutput> vector_output(const Session& session, std::unique_ptr<RowSink> sink, int64_t width,
                                           int64_t limit, size_t table_bytes);
// outputs: of quern_output, or-ed; names: of the fields that go with each row.
std::unique_ptr<EmbedOutput> line_output(const Session& session, std::unique_ptr<RowSink> sink, unsigned outputs,
                                         const std::vector<std::string>& names, int64_t limit);

}  // namespace cli
