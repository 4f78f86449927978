// The architectures' entries; each is defined in its own file. See registry.cpp.
#pragma once
#include "models/model.h"

namespace quern {

extern const Architecture bert_architecture;
extern const Architecture roberta_architecture;
extern const Architecture distilbert_architecture;
extern const Architecture mpnet_architecture;
extern const Architecture nomic_bert_architecture;
extern const Architecture gte_architecture;
extern const Architecture modernbert_architecture;
extern const Architecture t5_encoder_architecture;
extern const Architecture deberta_architecture;
extern const Architecture llama_architecture;
extern const Architecture qwen2_architecture;
extern const Architecture qwen3_architecture;
extern const Architecture phi3_architecture;
extern const Architecture gemma_architecture;
extern const Architecture gemma2_architecture;
extern const Architecture gemma3_architecture;
extern const Architecture gemma_embedding_architecture;
extern const Architecture static_embedding_architecture;

}  // namespace quern
