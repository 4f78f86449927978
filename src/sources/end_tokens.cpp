#include "sources/end_tokens.h"

namespace quern {

std::unordered_set<int32_t> end_tokens_of(const GgufReader& file, const Tokenizer& tokenizer) {
  std::unordered_set<int32_t> ids;
  for (const char* key : {"eos", "eot", "eom"}) {
    const int64_t id = file.get_int_or("tokenizer.ggml." + std::string(key) + "_token_id", -1);
    if (id >= 0 && id < static_cast<int64_t>(tokenizer.vocab_size())) ids.insert(static_cast<int32_t>(id));
  }
  for (const char* name :
       {"<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>", "<end_of_turn>",
        "<\xEF\xBD\x9C"
        "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"})
    if (const int32_t id = tokenizer.id(name); id >= 0) ids.insert(id);
  return ids;
}

}  // namespace quern
