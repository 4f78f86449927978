// DeBERTa's SentencePiece vocabulary without a tokenizer.json, beside SentencePiece's own ids
// (tests/reference/make_deberta_spm.py).
#include <catch2/catch.hpp>

#include "error.h"
#include "hub/hf_folder.h"
#include "tiny_decoders.h"
#include "tokenizers/tokenizer.h"

namespace quern::test {

TEST_CASE("spm.model of DeBERTa: ids and types of texts and pairs") {
  const std::string path = QUERN_TEST_DIR "/golden/formats/deberta_spm";
  const auto tokenizer = Tokenizer::parse(HfFolder::open(path).tokenizer_json, path);
  for (const auto& c : nlohmann::json::parse(read_text_file(path + "/golden.json", 1 << 20))) {
    const auto texts = c.at("texts").get<std::vector<std::string>>();
    INFO(texts[0]);
    Encoding e;
    if (texts.size() == 1)
      tokenizer->encode(texts[0], {}, e);
    else
      tokenizer->encode_pair(texts[0], texts[1], {}, e);
    CHECK(e.ids == c.at("ids").get<std::vector<int32_t>>());
    if (texts.size() == 2) CHECK(e.type_ids == c.at("types").get<std::vector<int32_t>>());
  }
}

TEST_CASE("spm.model of DeBERTa: settings that are not known are refused by name") {
  const FolderCopy folder(QUERN_TEST_DIR "/golden/formats/deberta_spm");
  for (const std::string setting : {"do_lower_case", "split_by_punct"}) {
    folder.scratch.write("tokenizer_config.json", "{\"" + setting + "\": true}");
    CHECK_THAT(error_of([&] { HfFolder::open(folder.path()); }).message, Catch::Contains("with " + setting));
  }
}

}  // namespace quern::test
