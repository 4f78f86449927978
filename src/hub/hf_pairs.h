// How a folder's model scores pairs of texts: by which template two texts become one, and by which tokens a language
// model answers. Include it in .cpp files of hub/ only.
#pragma once
#include "hub/hf_json.h"

namespace quern {

// 1_LogitScore/config.json of sentence-transformers: a classifier of one label. Throws Error bad_file, unsupported.
void read_logit_score(const JsonFile& file, const std::string& source, HfFolder& folder);

// After everything else of the folder was read: the template of a classifier's pairs; and the classifier of a language
// model without that module whose template names query and document, or whose maker published how it ranks.
void settle_pairs(const HfFolder::ReadFile& read, const JsonFile& config, HfFolder& folder);

}  // namespace quern
