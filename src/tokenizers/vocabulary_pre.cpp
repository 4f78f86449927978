// The table of byte-level splits. See vocabulary_pre.h.
#include "vocabulary_pre.h"

#include <nlohmann/json.hpp>

#include "error.h"
#include "io/json.h"

namespace quern {
namespace {

#define QUERN_BYTES R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false})"
#define QUERN_GPT2 R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true})"
#define QUERN_SPLIT(regex) R"({"type":"Split","behavior":"Isolated","invert":false,"pattern":{"Regex":")" regex R"("}})"
#define QUERN_STEPS(steps) R"({"type":"Sequence","pretokenizers":[)" steps "]}"
#define QUERN_DIGITS R"({"type":"Digits","individual_digits":true})"
// The end of most: punctuation, line breaks, spaces.
#define QUERN_REST(more) R"( ?[^\\s\\p{L}\\p{N}]+[\\r\\n)" more R"(]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)"
#define QUERN_SHORT R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
#define QUERN_WORDS QUERN_SHORT R"(|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|)"
#define QUERN_UPPER R"([\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}])"
#define QUERN_LOWER R"([\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}])"
#define QUERN_CASED(end)                                                                                   \
  R"([^\\r\\n\\p{L}\\p{N}]?)" QUERN_UPPER "*" QUERN_LOWER "+" end R"(|[^\\r\\n\\p{L}\\p{N}]?)" QUERN_UPPER \
  "+" QUERN_LOWER "*" end "|"

constexpr const char* no_normalizer = "null";
constexpr const char* nfc = R"({"type":"NFC"})";

constexpr BytePreTokenizer table[] = {
    {" gpt-2 phi-2 jina-es jina-de jina-v2-es jina-v2-de mpt olmo ", no_normalizer, QUERN_GPT2, false, false, false},
    {" roberta-bpe jina-v1-en jina-v2-code ", no_normalizer, QUERN_GPT2, false, true, true, true},
    {" modern-bert ", nfc, QUERN_GPT2, false, true, true},
    {" smollm starcoder refact codeshell exaone ", no_normalizer, QUERN_STEPS(QUERN_DIGITS "," QUERN_GPT2), false,
     false, false},
    {" command-r ", nfc, QUERN_STEPS(QUERN_DIGITS "," QUERN_GPT2), false, true, false},
    {" llama-bpe llama3 llama-v3 falcon3 pixtral lfm2 ", no_normalizer,
     QUERN_STEPS(QUERN_SPLIT(QUERN_WORDS R"(\\p{N}{1,3}|)" QUERN_REST("")) "," QUERN_BYTES), true, true, false},
    {" dbrx smaug-bpe ", no_normalizer,
     QUERN_STEPS(QUERN_SPLIT(QUERN_WORDS R"(\\p{N}{1,3}|)" QUERN_REST("")) "," QUERN_BYTES), false, false, false},
    {" qwen2 deepseek-r1-qwen stablelm2 megrez ", nfc,
     QUERN_STEPS(QUERN_SPLIT(QUERN_WORDS R"(\\p{N}|)" QUERN_REST("")) "," QUERN_BYTES), false, false, false},
    {" qwen35 ", nfc,
     QUERN_STEPS(QUERN_SPLIT(QUERN_SHORT R"(|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+)"
                                         R"([\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)") "," QUERN_BYTES),
     false, false, false},
    {" tekken ", no_normalizer, QUERN_STEPS(QUERN_SPLIT(QUERN_CASED("") R"(\\p{N}|)" QUERN_REST("/")) "," QUERN_BYTES),
     true, true, false},
    {" gpt-4o ", no_normalizer,
     QUERN_STEPS(QUERN_SPLIT(QUERN_CASED(QUERN_SHORT "?") R"(\\p{N}{1,3}|)" QUERN_REST("/")) "," QUERN_BYTES), false,
     false, false},
    {" deepseek-coder ", no_normalizer,
     QUERN_STEPS(QUERN_SPLIT(R"([\r\n])") "," QUERN_SPLIT(R"(\\s?\\p{L}+)") "," QUERN_SPLIT(
         R"(\\s?\\p{P}+)") "," QUERN_SPLIT(R"([一-龥ࠀ-一가-퟿]+)") "," QUERN_DIGITS "," QUERN_BYTES),
     false, true, false},
    {" deepseek-v3 ", no_normalizer,
     QUERN_STEPS(QUERN_SPLIT(R"(\\p{N}{1,3})") "," QUERN_SPLIT(R"([一-龥぀-ゟ゠-ヿ]+)") "," QUERN_SPLIT(
         R"([!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?)"
         R"([\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)") "," QUERN_BYTES),
     false, true, false},
    {" falcon default ", no_normalizer,
     QUERN_STEPS(R"({"type":"Punctuation","behavior":"Contiguous"},)" QUERN_GPT2
                 R"(,{"type":"Digits","individual_digits":false},)" QUERN_SPLIT("[0-9][0-9][0-9]")),
     false, false, false},
};

#undef QUERN_BYTES
#undef QUERN_GPT2
#undef QUERN_SPLIT
#undef QUERN_STEPS
#undef QUERN_DIGITS
#undef QUERN_REST
#undef QUERN_SHORT
#undef QUERN_WORDS
#undef QUERN_UPPER
#undef QUERN_LOWER
#undef QUERN_CASED

// A stage without what tokens do not depend on, and with what it may leave out.
nlohmann::json essence(const nlohmann::json& stage) {
  if (!stage.is_object()) return stage;
  nlohmann::json s = stage;
  s.erase("trim_offsets");
  const std::string type = s.value("type", "");
  if (type == "ByteLevel" && !s.contains("use_regex")) s["use_regex"] = true;
  if (type == "Split" && !s.contains("invert")) s["invert"] = false;
  for (const char* parts : {"normalizers", "pretokenizers"}) {
    if (type != "Sequence" || !s.contains(parts) || !s[parts].is_array()) continue;
    for (nlohmann::json& part : s[parts]) part = essence(part);
    if (s[parts].size() == 1) return nlohmann::json(s[parts][0]);
  }
  return s;
}

}  // namespace

const BytePreTokenizer& byte_pre_tokenizer(const std::string& name, const std::string& file) {
  std::string known;
  for (const BytePreTokenizer& entry : table) {
    if (name.find(' ') == std::string::npos && std::string(entry.names).find(' ' + name + ' ') != std::string::npos)
      return entry;
    known.append(entry.names + (known.empty() ? 1 : 0));
    known.pop_back();
  }
  throw Error(Status::unsupported, file + ": tokenizer.ggml.pre \"" + printable(name) +
                                       "\" is not known, and tokens depend on it (known: " + known + ")");
}

const BytePreTokenizer* find_byte_pre_tokenizer(const nlohmann::json& normalizer, const nlohmann::json& pre_tokenizer,
                                                bool ignore_merges, bool add_eos) {
  const nlohmann::json normal = essence(normalizer), split = essence(pre_tokenizer);
  const BytePreTokenizer* found = nullptr;
  for (const BytePreTokenizer& entry : table) {
    if (entry.ignore_merges != ignore_merges || essence(nlohmann::json::parse(entry.normalizer)) != normal ||
        essence(nlohmann::json::parse(entry.pre_tokenizer)) != split)
      continue;
    if (!found || (found->add_eos != add_eos && entry.add_eos == add_eos)) found = &entry;
  }
  return found;
}

std::string first_name(const BytePreTokenizer& entry) {
  const std::string names = entry.names;
  return names.substr(1, names.find(' ', 1) - 1);
}

}  // namespace quern
