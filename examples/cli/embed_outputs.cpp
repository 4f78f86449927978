#include "embed_outputs.h"

#include <algorithm>

#include "texts.h"

namespace cli {
namespace {

// Of all texts of a batch, those that were worked on before as well.
template <class Value, class InfoOf>
void count(const BatchPlan<Value>& plan, const InfoOf& info_of, const quern_embed_options& options, int64_t limit,
           RunCounts& counts) {
  const bool pieces = options.long_texts == QUERN_LONG_CHUNK_MEAN || options.long_texts == QUERN_LONG_CHUNKS;
  quern_embed_stats& s = counts.stats;
  for (const size_t index : plan.index) {
    const quern_text_info& info = info_of(index);
    ++s.texts;
    s.tokens += info.tokens;
    s.truncated += info.dropped > 0;
    s.repaired += info.repaired != 0;
    s.chunked += pieces && info.tokens > static_cast<uint64_t>(limit);
  }
  counts.repeated += plan.repeated();
}

template <class Value>
const quern_text_info& info_of(const BatchPlan<Value>& plan, size_t index) {
  constexpr size_t known = BatchPlan<Value>::kKnown;
  return index >= known ? plan.known[index - known].info : plan.info[index];
}

// Rows as they come, one a text: the plain case.
class VectorOutput final : public EmbedOutput {
 public:
  VectorOutput(const Session& session, std::unique_ptr<RowSink> sink, int64_t width, int64_t limit, size_t table_bytes)
      : session_(session),
        sink_(std::move(sink)),
        width_(static_cast<size_t>(width)),
        limit_(limit),
        table_(table_bytes) {}

  Write run(const TextBatch& batch, const quern_embed_options& options, RunCounts& counts) override {
    Plan plan(batch, table_);
    std::vector<float> made(plan.places.size() * width_);
    embed(batch, options, plan, made);
    count(
        plan, [&](size_t index) -> const quern_text_info& { return info_of(plan, index); }, options, limit_, counts);
    const size_t n = batch.texts.size();
    const auto rows = std::make_shared<std::vector<float>>(n * width_);
    for (size_t i = 0; i < n; ++i) {
      const size_t index = plan.index[i];
      const float* from =
          index >= Plan::kKnown ? plan.known[index - Plan::kKnown].value.data() : made.data() + index * width_;
      std::copy_n(from, width_, rows->data() + i * width_);
    }
    for (size_t k = 0; k < plan.places.size(); ++k) {
      const float* const row = made.data() + k * width_;
      table_.add(batch.texts[plan.places[k]], {std::vector<float>(row, row + width_), plan.info[k]},
                 width_ * sizeof(float));
    }
    for (const size_t i : batch.zeros) std::fill_n(rows->data() + i * width_, width_, 0.0f);
    return [this, rows, n, kept = batch.kept] { sink_->write(rows->data(), static_cast<int64_t>(n), kept); };
  }
  RowSink& sink() override { return *sink_; }

 private:
  using Plan = BatchPlan<std::vector<float>>;
  void embed(const TextBatch& batch, quern_embed_options options, Plan& plan, std::vector<float>& made) const {
    if (plan.places.empty()) return;
    options.info = plan.info.data();
    const quern_status status = quern_embed(session_.get(), plan.pointers.data(), plan.lengths.data(),
                                            plan.places.size(), &options, made.data(), made.size(), nullptr);
    if (status == QUERN_OK) return;
    const std::string why = quern_last_error();
    std::vector<float> all(batch.texts.size() * width_);  // once more, for the message to number texts as they are
    options.info = nullptr;
    check(quern_embed(session_.get(), batch.pointers.data(), batch.lengths.data(), batch.texts.size(), &options,
                      all.data(), all.size(), nullptr));
    throw Failure{1, why};
  }

  const Session& session_;
  const std::unique_ptr<RowSink> sink_;
  const size_t width_;
  const int64_t limit_;
  TextTable<std::vector<float>> table_;
};

// What has no fixed width: a line of JSON a text.
class LineOutput final : public EmbedOutput {
 public:
  LineOutput(const Session& session, std::unique_ptr<RowSink> sink, unsigned outputs,
             const std::vector<std::string>& names, int64_t limit)
      : session_(session), sink_(std::move(sink)), outputs_(outputs), prefixes_(json_prefixes(names)), limit_(limit) {}

  Write run(const TextBatch& batch, const quern_embed_options& options, RunCounts& counts) override {
    const auto plan = std::make_shared<Plan>(batch, table_);
    const auto owner = encode(batch, options, *plan);
    count(
        *plan, [&](size_t index) -> const quern_text_info& { return info_of(*plan, index); }, options, limit_, counts);
    // Lines are made by whoever writes, batch by batch, so that a later batch finds the lines of earlier ones made.
    const auto lines = std::make_shared<std::vector<Line>>();
    for (size_t k = 0; k < plan->places.size(); ++k) {
      lines->push_back(std::make_shared<std::string>());
      table_.add(batch.texts[plan->places[k]], {lines->back(), plan->info[k]}, longest_line_);
    }
    return [this, plan, owner, lines, kept = batch.kept] {
      for (size_t k = 0; k < lines->size(); ++k) {
        *(*lines)[k] = line_of(*owner, k);
        if ((*lines)[k]->size() > longest_line_) longest_line_ = (*lines)[k]->size();
      }
      for (size_t i = 0; i < plan->index.size(); ++i) {
        const size_t index = plan->index[i];
        const std::string& line = index >= Plan::kKnown ? *plan->known[index - Plan::kKnown].value : *(*lines)[index];
        sink_->write_line(kept.empty() ? line : object_of(line, kept[i]));
      }
    };
  }
  RowSink& sink() override { return *sink_; }

 private:
  using Line = std::shared_ptr<std::string>;
  using Plan = BatchPlan<Line>;
  std::shared_ptr<quern_encoded> encode(const TextBatch& batch, quern_embed_options options, Plan& plan) const {
    if (plan.places.empty()) return nullptr;
    quern_encoded* made = nullptr;
    options.info = plan.info.data();
    const quern_status status = quern_encode(session_.get(), plan.pointers.data(), plan.lengths.data(),
                                             plan.places.size(), &options, outputs_, &made, nullptr);
    if (status == QUERN_OK) return {made, quern_encoded_free};
    const std::string why = quern_last_error();
    options.info = nullptr;
    check(quern_encode(session_.get(), batch.pointers.data(), batch.lengths.data(), batch.texts.size(), &options,
                       outputs_, &made, nullptr));
    quern_encoded_free(made);
    throw Failure{1, why};
  }

  std::string object_of(const std::string& value, const std::vector<std::string>& kept) const {
    const std::string line = '{' + json_members(prefixes_, kept);
    if (outputs_ == (QUERN_SPARSE | QUERN_MULTI_VECTOR)) return line + value.substr(1);
    const char* name = outputs_ == QUERN_SPARSE ? "sparse" : outputs_ == QUERN_DENSE ? "embedding" : "multi_vector";
    return line + '"' + name + "\":" + value + '}';
  }

  std::string line_of(const quern_encoded& e, size_t i) const {
    if (outputs_ == QUERN_DENSE) return matrix(e, i, quern_encoded_dense);
    if (outputs_ == QUERN_SPARSE) return sparse(e, i);
    if (outputs_ == QUERN_MULTI_VECTOR) return matrix(e, i, quern_encoded_multi_vector);
    return "{\"sparse\":" + sparse(e, i) + ",\"multi_vector\":" + matrix(e, i, quern_encoded_multi_vector) + '}';
  }

  static std::string sparse(const quern_encoded& e, size_t i) {
    const int32_t* ids = nullptr;
    const float* weights = nullptr;
    const size_t n = quern_encoded_sparse(&e, i, &ids, &weights);
    std::string indices, values;
    for (size_t k = 0; k < n; ++k) {
      indices += (k ? "," : "") + std::to_string(ids[k]);
      values += (k ? "," : "") + json_number(weights[k]);
    }
    return "{\"indices\":[" + indices + "],\"values\":[" + values + "]}";
  }

  static std::string matrix(const quern_encoded& e, size_t i,
                            const float* (*get)(const quern_encoded*, size_t, size_t*, size_t*)) {
    size_t rows = 0, width = 0;
    const float* values = get(&e, i, &rows, &width);
    std::string line = "[";
    for (size_t r = 0; r < rows; ++r) {
      line += r ? ",[" : "[";
      for (size_t k = 0; k < width; ++k) line += (k ? "," : "") + json_number(values[r * width + k]);
      line += ']';
    }
    return line + ']';
  }

  const Session& session_;
  const std::unique_ptr<RowSink> sink_;
  const unsigned outputs_;
  const std::vector<std::string> prefixes_;
  const int64_t limit_;
  std::atomic<size_t> longest_line_{4096};  // what the table takes each one for
  TextTable<Line> table_{kTableBytes};
};

}  // namespace

std::unique_ptr<EmbedOutput> vector_output(const Session& session, std::unique_ptr<RowSink> sink, int64_t width,
                                           int64_t limit, size_t table_bytes) {
  return std::make_unique<VectorOutput>(session, std::move(sink), width, limit, table_bytes);
}

std::unique_ptr<EmbedOutput> line_output(const Session& session, std::unique_ptr<RowSink> sink, unsigned outputs,
                                         const std::vector<std::string>& names, int64_t limit) {
  return std::make_unique<LineOutput>(session, std::move(sink), outputs, names, limit);
}

}  // namespace cli
