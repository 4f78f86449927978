// GGUF's block types against what the gguf package makes of them (tests/reference/make_quant_goldens.py), to the bit.
#include <catch2/catch.hpp>
#include <cctype>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "dispatch.h"

using namespace quern;

namespace {

std::string bytes_of(const std::string& hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

const TypeInfo& type_called(std::string name) {
  for (char& c : name) c = static_cast<char>(std::tolower(c));
  const TypeInfo* type = find_type(name);
  INFO(name);
  REQUIRE(type);
  return *type;
}

}  // namespace

TEST_CASE("block types decode and encode as the gguf package does", "[quants]") {
  std::ifstream file(QUERN_TEST_DIR "/golden/formats/quants.txt");
  int decoded = 0, encoded = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string first, name, from, to;
    words >> first;
    const bool quantize = first == "QUANT";
    if (quantize)
      words >> name;
    else
      name = first;
    words >> from >> to;
    INFO(line.substr(0, 40));
    const TypeInfo& type = type_called(name);
    const std::string input = bytes_of(from), expected = bytes_of(to);
    if (quantize) {
      std::vector<float> values(input.size() / 4);
      std::memcpy(values.data(), input.data(), input.size());
      std::string found(expected.size(), '\0');
      REQUIRE(type.row_bytes(static_cast<int64_t>(values.size())) == expected.size());
      type.encode(values.data(), found.data(), static_cast<int64_t>(values.size()));
      CHECK(found == expected);
      ++encoded;
    } else {
      std::vector<float> found(expected.size() / 4);
      REQUIRE(type.row_bytes(static_cast<int64_t>(found.size())) == input.size());
      type.decode(input.data(), found.data(), static_cast<int64_t>(found.size()));
      CHECK(std::memcmp(found.data(), expected.data(), expected.size()) == 0);
      ++decoded;
    }
  }
  CHECK(decoded == 24);
  CHECK(encoded == 6);
}
