// GGUF's numbers of the weight types, against GGUF's own table of tensor types.
#include "gguf/weight_types.h"

#include <catch2/catch.hpp>
#include <cctype>
#include <set>
#include <string>

#include "dispatch.h"
#include "gguf/types.h"

using namespace quern;

TEST_CASE("every weight type has its numbers in GGUF") {
  std::set<uint32_t> rows;
  for (const TypeInfo* type : all_types()) {
    INFO(type->name);
    for (int i = 0; i < type->n_arrays; ++i) {
      const ArraySpec& array = type->arrays[i];
      INFO(array.suffix);
      const GgmlType* tensor = find_ggml_type(gguf_type_of(*type, array));
      REQUIRE(tensor);
      int64_t ne[4] = {1, 1, 1, 1};
      array.shape(256, 512, ne);
      uint64_t bytes = 0;
      REQUIRE(tensor_bytes(*tensor, ne, &bytes));
      CHECK(bytes == array.bytes(256, 512));
    }
    if (!type->rows) continue;
    const uint32_t number = gguf_type_of(*type, type->arrays[0]);
    CHECK(rows.insert(number).second);
    CHECK(row_type_of_gguf(number) == type);
    std::string name = type->name;
    for (char& c : name) c = static_cast<char>(std::toupper(c));
    CHECK(find_ggml_type(number)->name == name);
  }
  // Tensors of plain numbers, and types that quern has no rows of, are no weights by themselves.
  for (const uint32_t number : {ggml_type::i8, ggml_type::i32, uint32_t{9}, UINT32_MAX})
    CHECK(row_type_of_gguf(number) == nullptr);
}

TEST_CASE("files' numbers are GGUF's") {
  // general.file_type, of gguf's LlamaFileType; q8 and q4 go by the nearest that tools know.
  for (const auto& [name, number] :
       {std::pair{"f32", 0u}, {"f16", 1u}, {"q8_0", 7u}, {"q4_k", 15u}, {"bf16", 32u}, {"q8", 7u}, {"q5", 8u}})
    CHECK(gguf_file_type_of(*find_type(name)) == number);
}
