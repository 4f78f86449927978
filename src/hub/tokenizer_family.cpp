// See tokenizer_family.h.
#include "hub/tokenizer_family.h"

#include <algorithm>
#include <string_view>

#include "ascii.h"

namespace quern {
namespace {

// "Bert"; "" where no class is named.
std::string class_name(const JsonFile* settings) {
  std::string name = settings != nullptr ? settings->string("tokenizer_class").value_or("") : "";
  if (name == "TokenizersBackend") return "PreTrained";
  for (const std::string_view end : {"Fast", "Tokenizer"})
    if (name.ends_with(end)) name.resize(name.size() - end.size());
  return name;
}

// BertTokenizer, MPNetTokenizer and what transformers' tables map to them.
constexpr std::string_view bert_kin[] = {"bert",      "convbert",     "distilbert", "electra",
                                         "ernie",     "megatronbert", "mobilebert", "mpnet",
                                         "nomicbert", "retribert",    "squeezebert"};

}  // namespace

std::string tokenizer_family(const JsonFile* settings, const std::string& model_type) {
  const std::string name = class_name(settings);
  std::string family = ascii_lower(name.empty() || name == "PreTrained" ? model_type : name);
  std::erase(family, '-');
  std::erase(family, '_');
  return family;
}

bool rebuilds_bert(const JsonFile* settings, const std::string& model_type) {
  if (class_name(settings) == "PreTrained") return false;
  const std::string family = tokenizer_family(settings, model_type);
  return std::find(std::begin(bert_kin), std::end(bert_kin), family) != std::end(bert_kin);
}

}  // namespace quern
