#include "hub/hf_pairs.h"

#include <algorithm>
#include <filesystem>

#include "ascii.h"
#include "chat/pair_template.h"
#include "hub/hf_heads.h"
#include "hub/known_rerankers.h"
#include "os/files.h"

namespace quern {
namespace {

using nlohmann::json;

constexpr size_t max_id = size_t{1} << 24;

// sentence_bert_config.json says what the transformer takes; before it did, pairs were the tokenizer's.
struct Messages {
  bool used = true, in_parts = false;
  std::string variables;
};

Messages messages_of(const HfFolder::ReadFile& read, const HfFolder& folder) {
  const std::string& source = folder.chat.source;
  Messages messages;
  for (const char* sign : {"content[0]", ".type", "'type'", "\"type\"", "message.content["})  // as that library guesses
    messages.in_parts = messages.in_parts || source.find(sign) != std::string::npos;
  const auto file = read_json(folder.dir, read, join_path(folder.transformer_folder, "sentence_bert_config.json"));
  if (!file) return messages;
  const json* modalities = file->find("modality_config");
  messages.used = modalities && modalities->is_object() && modalities->contains("message");
  if (!messages.used) return messages;
  const json& message = (*modalities)["message"];
  if (message.is_object() && message.contains("format") && message["format"] != "auto")
    messages.in_parts = message["format"] == "structured";
  if (const json* options = file->find("processing_kwargs");
      options && options->is_object() && options->contains("chat_template")) {
    const json& variables = (*options)["chat_template"];
    if (!variables.is_object()) file->wrong("processing_kwargs.chat_template", "an object");
    messages.variables = variables.dump();
  }
  return messages;
}

// The folder's own template for pairs; empty where pairs are the tokenizer's.
PairTemplate own_template(const HfFolder::ReadFile& read, const HfFolder& folder) {
  const Messages messages = messages_of(read, folder);
  if (!messages.used) return {};
  return {folder.chat.source, messages.in_parts, messages.variables, folder.chat.specials};
}

bool carries(const PairTemplate& pairs, const HfFolder& folder) {
  if (pairs.source.empty()) return false;
  return carries_pairs(ChatTemplate(pairs.source, folder.dir + ": chat template"), pairs);
}

int64_t id_of(const HfFolder& folder, const char* token) {
  const json tokenizer = parse_json(folder.tokenizer_json, folder.dir + "/tokenizer.json");
  const auto at = [](const json& object, const char* key) {
    return object.is_object() && object.contains(key) ? object[key] : json();
  };
  const json vocabulary = at(at(tokenizer, "model"), "vocab");
  if (vocabulary.is_object() && vocabulary.contains(token) && vocabulary[token].is_number_unsigned())
    return vocabulary[token].get<int64_t>();
  for (size_t i = 0; vocabulary.is_array() && i < vocabulary.size(); ++i)
    if (vocabulary[i].is_array() && !vocabulary[i].empty() && vocabulary[i][0] == token) return static_cast<int64_t>(i);
  throw Error(Status::unsupported, folder.dir + ": a reranker of this kind answers with the token \"" + token +
                                       "\", which the tokenizer has not; 1_LogitScore/config.json in modules.json "
                                       "would say which tokens it answers with");
}

void add_next_token(const NextTokenScore& score, const std::string& source, HfFolder& folder) {
  folder.pipeline.classifier = ClassifierConfig{
      .per_token = false, .labels = {"LABEL_0"}, .activation = "sigmoid", .layers = {}, .next_token = score};
  folder.decisions.push_back(
      {"classifier", "token " + std::to_string(score.yes) + (score.no < 0 ? "" : " less " + std::to_string(score.no)),
       source});
}

// Names that a published way to rank may go by.
std::vector<std::string> names_of(const HfFolder::ReadFile& read, const JsonFile& config, const HfFolder& folder) {
  std::vector<std::string> names = {folder.repo, config.string("_name_or_path").value_or("")};
  std::error_code error;
  names.push_back(os::text_of(std::filesystem::weakly_canonical(os::path_of(folder.dir), error).filename()));
  const std::string card = read("README.md", max_config_bytes).value_or("");
  for (size_t begin = 0; begin < card.size();) {  // its title
    const size_t end = std::min(card.find('\n', begin), card.size());
    if (card.compare(begin, 2, "# ") == 0) names.push_back(card.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

// What a language model ranks by that no module describes.
void find_language_reranker(const HfFolder::ReadFile& read, const JsonFile& config, HfFolder& folder) {
  const auto names_role = [&](const char* role) {
    const std::string& source = folder.chat.source;
    return source.find('"' + std::string(role) + '"') != std::string::npos ||
           source.find('\'' + std::string(role) + '\'') != std::string::npos;
  };
  if (const PairTemplate own = own_template(read, folder);
      names_role("query") && names_role("document") && carries(own, folder)) {
    add_next_token({id_of(folder, "yes"), id_of(folder, "no")},
                   "the chat template has a query and a document; \"yes\" and \"no\", as sentence-transformers assumes",
                   folder);
    settle_activation(read, config, folder);
    folder.pipeline.classifier->pairs = own;
    return;
  }
  const KnownReranker* known = find_known_reranker(names_of(read, config, folder));
  if (!known) return;
  const std::string source = std::string("as published for ") + known->name;
  add_next_token({id_of(folder, known->yes), known->no ? id_of(folder, known->no) : -1}, source, folder);
  settle_activation(read, config, folder);
  folder.pipeline.classifier->pairs = {known->pairs, false, "", folder.chat.specials};
  folder.decisions.push_back({"pairs", "a template", source});
}

}  // namespace

void read_logit_score(const JsonFile& file, const std::string& source, HfFolder& folder) {
  const auto yes = file.count("true_token_id", 0, max_id), no = file.count("false_token_id", 0, max_id);
  if (!yes) throw Error(Status::bad_file, file.name() + ": 'true_token_id' is missing");
  const std::string input = file.string("module_input_name").value_or("causal_logits");
  if (input != "causal_logits")
    throw Error(Status::unsupported, file.name() + ": 'module_input_name' is '" + printable(input) +
                                         "', quern runs this module on causal_logits only");
  add_next_token({static_cast<int64_t>(*yes), no ? static_cast<int64_t>(*no) : -1}, source, folder);
}

void settle_pairs(const HfFolder::ReadFile& read, const JsonFile& config, HfFolder& folder) {
  auto& classifier = folder.pipeline.classifier;
  const bool language = !folder.architectures.empty() && folder.architectures[0].ends_with("ForCausalLM");
  if (!classifier && language) find_language_reranker(read, config, folder);
  if (!classifier || classifier->per_token || !classifier->pairs.source.empty() || folder.chat.source.empty()) return;
  const PairTemplate own = own_template(read, folder);
  if (carries(own, folder)) {
    classifier->pairs = own;
    folder.decisions.push_back({"pairs", "a template", "the chat template has a query and a document"});
  } else if (classifier->next_token && !own.source.empty()) {
    throw Error(Status::unsupported, folder.dir +
                                         ": this reranker puts pairs into its chat template, which drops messages of "
                                         "the roles query and document; expected one that writes both");
  } else {
    folder.decisions.push_back(
        {"pairs", "the tokenizer's", "texts come as the model wants them: no template of pairs"});
  }
}

}  // namespace quern
