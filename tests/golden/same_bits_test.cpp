// The same bits on every CPU: vectors and scores of the tiny encoders.
#include "same_bits.h"

namespace quern::test {
namespace {

const std::vector<std::string> kTexts = {"the quick fox", "cosine similarity of user 50 !", "not", "",
                                         "the fox jumps the quick user the fox jumps the quick user not"};

using Names = std::vector<const char*>;
// Few where an emulator or a sanitizer makes converting one take a minute: these two use all kernels that any uses.
const Names few_encoders = {"t5", "modernbert"},
            others = {"bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "nomic_bert", "gte", "deberta"};

void check_encoders(const Names& names, const Names& types) {
  for (const char* name : names) {
    for (const char* type : types) {
      ScratchFolder scratch;
      const std::string file = convert_to(scratch, type, decoder_folder(name));
      check_hash(std::string(name) + " " + type,
                 [&](const KernelTable& table) { return hash_of_vectors(table, file, kTexts); });
    }
  }
}

}  // namespace

TEST_CASE("same bits: two encoders in q8") {
  check_encoders(few_encoders, {"q8"});
}

TEST_CASE("same bits: the other encoders in q8, all in q4 and f32", "[slow]") {
  check_encoders(others, {"q8"});
  for (const Names& names : {few_encoders, others}) check_encoders(names, {"q4", "f32"});
}

TEST_CASE("same bits: every type that can be written") {
  for (const WrittenType& type : written_types()) {
    ScratchFolder scratch;
    const std::string file = convert_to(scratch, type.name);
    check_hash(std::string("tiny-bert ") + type.name,
               [&](const KernelTable& table) { return hash_of_vectors(table, file, golden_texts()); });
  }
}

}  // namespace quern::test
