// The same bits on every CPU: the real all-MiniLM-L6-v2.
#include <cstdlib>

#include "same_bits.h"

namespace quern::test {

// QUERN_MINILM: all-MiniLM-L6-v2 as q8, made by quern convert on any CPU. Skipped where it is not there.
TEST_CASE("same bits: all-MiniLM-L6-v2") {
  const char* file = std::getenv("QUERN_MINILM");
  if (!file || !*file) {
    WARN("skipped: QUERN_MINILM names no model file");
    return;
  }
  check_hash("file of all-MiniLM-L6-v2 q8",
             [&](const KernelTable&) { return load_model(file)->fingerprint.substr(0, 16); });
  check_hash("all-MiniLM-L6-v2 q8", [&](const KernelTable& table) {
    return hash_of_vectors(table, file, {"A hand mill grinds grain.", "quern", "Zwei Texte, eine Zahl: 42!"});
  });
}

}  // namespace quern::test
