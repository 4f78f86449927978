#include "sources/gguf_source.h"

#include <optional>

#include "sources/end_tokens.h"
#include "sources/gguf_layout.h"
#include "sources/gguf_settings.h"
#include "tokenizers/table.h"

namespace quern {

GgufSource::GgufSource(std::string path)
    : ModelSource(std::move(path)),
      map_(MappedFile::open(this->path())),
      file_(map_.bytes(), this->path()),
      architecture_(architecture_of_gguf(std::string(file_.get_string("general.architecture")), this->path())),
      config_(file_, architecture_.gguf),
      weights_(file_, map_) {}

ModelSettings GgufSource::settings(const Model& model) {
  layout_ = &gguf_layout_of(file_);
  return layout_->settings(file_, architecture_, model);
}

// Over the tables of the file, where it has them: they are used in place.
std::unique_ptr<const Tokenizer> GgufSource::tokenizer(const ModelSettings& settings) const {
  const std::string name = path() + ": tokenizer.json";
  if (!layout_->tables) return Tokenizer::parse(settings.tokenizer_json, name);
  const TableSource tables = {path(), kTablePrefix,
                              [&](std::string_view table) -> std::optional<std::span<const std::byte>> {
                                const std::string key = kTablePrefix + std::string(table);
                                if (!file_.has(key)) return std::nullopt;
                                return file_.get_array<uint8_t>(key).bytes();
                              }};
  return Tokenizer::parse(settings.tokenizer_json, name, true, &tables);
}

void GgufSource::complete(ModelSettings& settings, const Tokenizer& tokenizer) const {
  if (!layout_->end_tokens) settings.end_tokens = end_tokens_of(file_, tokenizer);
  settings.chat = chat_format_of(file_, tokenizer);
  settings.sampling = gguf_sampling_of(file_);
}

}  // namespace quern
