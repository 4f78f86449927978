// A model's hyper-parameters, each named once: where it stands in a GGUF file and in config.json. The same declaration
// reads either and writes the former.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kernels.h"

namespace quern {

class GgufReader;
class GgufWriter;

class ConfigMap {
 public:
  virtual ~ConfigMap() = default;

  // gguf: the key after "<architecture>."; hf: the key in config.json. A value outside [low, high], of the wrong type,
  // or missing without a fallback is Error{bad_file} naming file and key.
  virtual void integer(const char* gguf, const char* hf, int64_t& value, int64_t low, int64_t high,
                       std::optional<int64_t> fallback = {}) = 0;
  virtual void real(const char* gguf, const char* hf, float& value, double low, double high,
                    std::optional<double> fallback = {}) = 0;
  // Hugging Face's names: gelu (exact), gelu_new, gelu_pytorch_tanh, relu, silu, swish, tanh.
  virtual void activation(const char* gguf, const char* hf, Activation& value, Activation fallback) = 0;
  // A fact of the architecture that GGUF states and config.json does not.
  virtual void constant(const char* gguf, bool value) = 0;
  // The file, for messages.
  virtual std::string source() const = 0;
};

// Keys are read under `architecture`, the file's general.architecture.
class GgufConfig final : public ConfigMap {
 public:
  GgufConfig(const GgufReader& file, std::string architecture) : file_(file), prefix_(std::move(architecture) + '.') {}
  void integer(const char* gguf, const char*, int64_t& value, int64_t low, int64_t high,
               std::optional<int64_t> fallback) override;
  void real(const char* gguf, const char*, float& value, double low, double high,
            std::optional<double> fallback) override;
  void activation(const char* gguf, const char*, Activation& value, Activation fallback) override;
  void constant(const char*, bool) override {}
  std::string source() const override;

 private:
  const GgufReader& file_;
  std::string prefix_;
};

// config: the bytes of config.json; name: for messages.
class JsonConfig final : public ConfigMap {
 public:
  JsonConfig(std::string_view config, std::string name);
  ~JsonConfig() override;
  void integer(const char*, const char* hf, int64_t& value, int64_t low, int64_t high,
               std::optional<int64_t> fallback) override;
  void real(const char*, const char* hf, float& value, double low, double high,
            std::optional<double> fallback) override;
  void activation(const char*, const char* hf, Activation& value, Activation fallback) override;
  void constant(const char*, bool) override {}
  std::string source() const override { return name_; }

 private:
  struct Json;
  std::unique_ptr<Json> json_;
  std::string name_;
};

// Writes the values that the model holds.
class GgufConfigWriter final : public ConfigMap {
 public:
  GgufConfigWriter(GgufWriter& file, std::string architecture) : file_(file), prefix_(std::move(architecture) + '.') {}
  void integer(const char* gguf, const char*, int64_t& value, int64_t, int64_t, std::optional<int64_t>) override;
  void real(const char* gguf, const char*, float& value, double, double, std::optional<double>) override;
  void activation(const char* gguf, const char*, Activation& value, Activation fallback) override;
  void constant(const char* gguf, bool value) override;
  std::string source() const override { return "the file being written"; }

 private:
  GgufWriter& file_;
  std::string prefix_;
};

}  // namespace quern
