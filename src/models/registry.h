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

}  // namespace quern
