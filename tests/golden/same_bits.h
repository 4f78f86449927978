// Whole models under every table that can run here, beside hashes that are committed (same_bits.json), so that other
// CPUs and emulators are held to them too. A change of the arithmetic changes them: a failure prints what was found.
#pragma once
#include <catch2/catch.hpp>
#include <functional>

#include "../kernel/tables.h"
#include "host_device.h"
#include "io/sha256.h"
#include "tiny_decoders.h"

namespace quern::test {
inline const nlohmann::json& committed() {
  static const nlohmann::json all =
      nlohmann::json::parse(read_text_file(QUERN_TEST_DIR "/golden/same_bits.json", 1 << 20));
  return all;
}

class Hash {
 public:
  void add(std::span<const float> values) { sum_.update(values.data(), values.size_bytes()); }
  void add(int32_t value) { sum_.update(&value, sizeof(value)); }
  std::string text() { return sum_.hex().substr(0, 16); }

 private:
  Sha256 sum_;
};

inline std::shared_ptr<LoadedModel> on(const KernelTable& table, const std::string& path) {
  std::shared_ptr<LoadedModel> model = load_model(path);
  model->device = std::make_shared<HostDevice>(table);
  model->device->adopt(model->weights.linears());
  return model;
}

inline std::string hash_of_vectors(const KernelTable& table, const std::string& path,
                                   const std::vector<std::string>& texts) {
  Embedder embed(on(table, path), 2);
  Hash hash;
  for (const auto& row : embed(texts)) hash.add(row);
  return hash.text();
}

inline void check_hash(const std::string& name, const std::function<std::string(const KernelTable&)>& hash) {
  const std::string expected = committed().value(name, "missing");
  for (const KernelTable* table : tested_kernels()) {
    INFO(name << ", " << table->name);
    CHECK(hash(*table) == expected);
  }
}

}  // namespace quern::test
