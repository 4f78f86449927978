#include "tokenizers/from_gguf.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "error.h"
#include "gguf/reader.h"
#include "io/json.h"

namespace quern {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581

// Id of a special token, and its piece.
struct Special {
  uint64_t id;
  std::string piece;
};

Special special(const GgufReader& file, const std::vector<std::string_view>& tokens, const char* key,
                const char* piece) {
  const std::string name = std::string("tokenizer.ggml.") + key;
  uint64_t id = tokens.size();
  if (file.has(name)) {
    id = file.get_uint(name);
  } else {
    for (size_t i = 0; i < tokens.size(); ++i)
      if (tokens[i] == piece) id = i;
  }
  if (id >= tokens.size())
    throw Error(Status::bad_file,
                file.name() + ": " + name + " names no token of the " + std::to_string(tokens.size()) + " there are");
  return {id, std::string(tokens[id])};
}

}  // namespace

std::string tokenizer_json_from_gguf(const GgufReader& file) {
  const std::string_view kind = file.get_string("tokenizer.ggml.model");
  if (kind != "bert")
    throw Error(Status::unsupported, file.name() + ": tokenizer.ggml.model \"" + printable(kind) +
                                         "\" is not supported without tokenizer.huggingface.json (supported: bert)");
  const std::vector<std::string_view> tokens = file.get_strings("tokenizer.ggml.tokens");
  const Special cls = special(file, tokens, "cls_token_id", "[CLS]"),
                sep = special(file, tokens, "seperator_token_id", "[SEP]"),
                unk = special(file, tokens, "unknown_token_id", "[UNK]");
  nlohmann::json vocab = nlohmann::json::object(), added = nlohmann::json::array();
  std::vector<int32_t> types(tokens.size(), 1);
  if (file.has("tokenizer.ggml.token_type")) types = file.get_array<int32_t>("tokenizer.ggml.token_type").to_vector();
  if (types.size() != tokens.size())
    throw Error(Status::bad_file, file.name() + ": tokenizer.ggml.token_type has " + std::to_string(types.size()) +
                                      " entries for " + std::to_string(tokens.size()) + " tokens");
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string_view token = tokens[i];
    const bool is_special = types[i] == 2 || types[i] == 3 || i == cls.id || i == sep.id || i == unk.id;
    std::string piece(token);
    if (!is_special && token.starts_with(kSpace))
      piece = token.substr(kSpace.size());
    else if (!is_special && !(token.starts_with('[') && token.ends_with(']')))
      piece = "##" + piece;
    vocab[piece] = i;
    if (is_special)
      added.push_back({{"id", i},
                       {"content", piece},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", true}});
  }
  const bool lower = file.get_bool_or("tokenizer.ggml.normalizer.lowercase", true);
  const auto token = [](const Special& s) {
    return nlohmann::json{{"SpecialToken", {{"id", s.piece}, {"type_id", 0}}}};
  };
  const auto entry = [](const Special& s) {
    return nlohmann::json{{"id", s.piece}, {"ids", {s.id}}, {"tokens", {s.piece}}};
  };
  const nlohmann::json a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
                       b = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  nlohmann::json last = token(sep);
  last["SpecialToken"]["type_id"] = 1;
  const nlohmann::json all = {{"version", "1.0"},
                              {"truncation", nullptr},
                              {"padding", nullptr},
                              {"added_tokens", added},
                              {"normalizer",
                               {{"type", "BertNormalizer"},
                                {"clean_text", true},
                                {"handle_chinese_chars", true},
                                {"strip_accents", nullptr},
                                {"lowercase", lower}}},
                              {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                              {"post_processor",
                               {{"type", "TemplateProcessing"},
                                {"single", {token(cls), a, token(sep)}},
                                {"pair", {token(cls), a, token(sep), b, last}},
                                {"special_tokens", {{cls.piece, entry(cls)}, {sep.piece, entry(sep)}}}}},
                              {"decoder", nullptr},
                              {"model",
                               {{"type", "WordPiece"},
                                {"unk_token", unk.piece},
                                {"continuing_subword_prefix", "##"},
                                {"max_input_chars_per_word", 100},
                                {"vocab", vocab}}}};
  return all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace quern
