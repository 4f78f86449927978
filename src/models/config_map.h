// A model's hyper-parameters, each named once: where it stands in a GGUF file and in config.json. The same declaration
// reads either and writes the former.
#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels.h"

namespace quern {

class GgufReader;
class GgufWriter;

// Hugging Face's name of an activation, and back. Throws Error{unsupported}; where: for the message.
const char* activation_name(Activation activation);
Activation activation_named(const std::string& name, const std::string& where);

class ConfigMap {
 public:
  virtual ~ConfigMap() = default;

  // gguf: the key after "<architecture>."; hf: the key in config.json, or several spellings of it, "rope_theta|
  // rope_parameters.rope_theta", of which the first that is there counts; nullptr: none. A value outside [low, high],
  // of the wrong type, or missing without a fallback is Error{bad_file} naming file and key.
  virtual void integer(const char* gguf, const char* hf, int64_t& value, int64_t low, int64_t high,
                       std::optional<int64_t> fallback = {}) = 0;
  virtual void real(const char* gguf, const char* hf, float& value, double low, double high,
                    std::optional<double> fallback = {}) = 0;
  // Hugging Face's names: gelu and gelu_python (exact), gelu_new, gelu_fast, gelu_accurate, gelu_pytorch_tanh, relu,
  // silu, swish, tanh.
  virtual void activation(const char* gguf, const char* hf, Activation& value, Activation fallback) = 0;
  // Every so many layers is of the kind `kind`, from the first on: a number in GGUF and in older config.json; newer
  // ones have a list `hf_list` with the kind of each layer.
  virtual void every(const char* gguf, const char* hf, const char* hf_list, const char* kind, int64_t& value) = 0;
  // The same of layers value - 1, 2 · value - 1 and so on. Without either spelling: fallback.
  virtual void last_of_every(const char* gguf, const char* hf, const char* hf_list, const char* kind, int64_t& value,
                             int64_t fallback) = 0;
  // A list of numbers that only config.json has; empty where it has not.
  virtual std::vector<double> hf_reals(const char* /*hf*/, size_t /*most*/, double /*low*/, double /*high*/) {
    return {};
  }
  // A number that only config.json has, for what is settled when a model is converted. False elsewhere: value stays.
  virtual bool hf_real(const char* /*hf*/, double& /*value*/, double /*low*/, double /*high*/) { return false; }
  virtual bool hf_is(const char* /*hf*/, const char* /*json*/) { return false; }  // config.json says so
  virtual int64_t gguf_rows(const char* /*tensor*/) const { return 0; }           // of a matrix of a GGUF file
  // Of a matrix of a folder's weights, by a WeightSpec's name of it, for what config.json leaves out; 0: there is none.
  virtual int64_t hf_columns(const char* /*tensor*/) const { return 0; }
  virtual bool is_gguf() const { return false; }  // reads a GGUF file
  virtual bool is_hf() const { return false; }    // reads config.json
  // config.json must lack the key or have this value (as JSON, '"absolute"' or 'false'); else Error{unsupported}.
  virtual void hf_expect(const char* /*hf*/, const char* /*json*/) {}
  // A GGUF file must lack the key or have one of these strings; else Error{unsupported}.
  virtual void gguf_expect(const char* /*gguf*/, std::initializer_list<const char*> /*values*/) {}
  // Read from GGUF alone.
  virtual void flag(const char* gguf, bool& value) = 0;
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
  void every(const char* gguf, const char*, const char*, const char*, int64_t& value) override;
  void last_of_every(const char* gguf, const char*, const char*, const char*, int64_t& value,
                     int64_t fallback) override;
  void constant(const char*, bool) override {}
  void flag(const char* gguf, bool& value) override;
  void gguf_expect(const char* gguf, std::initializer_list<const char*> values) override;
  bool is_gguf() const override { return true; }
  int64_t gguf_rows(const char* tensor) const override;
  std::string source() const override;

 private:
  const GgufReader& file_;
  std::string prefix_;
};

// config: the bytes of config.json; name: for messages; columns: hf_columns.
class JsonConfig final : public ConfigMap {
 public:
  JsonConfig(std::string_view config, std::string name, std::function<int64_t(const char* tensor)> columns = {});
  ~JsonConfig() override;
  void integer(const char*, const char* hf, int64_t& value, int64_t low, int64_t high,
               std::optional<int64_t> fallback) override;
  void real(const char*, const char* hf, float& value, double low, double high,
            std::optional<double> fallback) override;
  void activation(const char*, const char* hf, Activation& value, Activation fallback) override;
  void every(const char*, const char* hf, const char* hf_list, const char* kind, int64_t& value) override;
  void last_of_every(const char*, const char* hf, const char* hf_list, const char* kind, int64_t& value,
                     int64_t fallback) override;
  std::vector<double> hf_reals(const char* hf, size_t most, double low, double high) override;
  bool hf_real(const char* hf, double& value, double low, double high) override;
  void hf_expect(const char* hf, const char* json) override;
  bool hf_is(const char* hf, const char* json) override;
  bool is_hf() const override { return true; }
  int64_t hf_columns(const char* tensor) const override { return columns_ ? columns_(tensor) : 0; }
  void constant(const char*, bool) override {}
  void flag(const char*, bool&) override {}
  std::string source() const override { return name_; }

 private:
  struct Json;
  std::unique_ptr<Json> json_;
  std::string name_;
  std::function<int64_t(const char*)> columns_;
};

// Writes the values that the model holds.
class GgufConfigWriter final : public ConfigMap {
 public:
  GgufConfigWriter(GgufWriter& file, std::string architecture) : file_(file), prefix_(std::move(architecture) + '.') {}
  void integer(const char* gguf, const char*, int64_t& value, int64_t, int64_t, std::optional<int64_t>) override;
  void real(const char* gguf, const char*, float& value, double, double, std::optional<double>) override;
  void activation(const char* gguf, const char*, Activation& value, Activation fallback) override;
  void every(const char* gguf, const char*, const char*, const char*, int64_t& value) override;
  void last_of_every(const char* gguf, const char*, const char*, const char*, int64_t& value,
                     int64_t fallback) override;
  void constant(const char* gguf, bool value) override;
  void flag(const char* gguf, bool& value) override { constant(gguf, value); }
  std::string source() const override { return "the file being written"; }

 private:
  GgufWriter& file_;
  std::string prefix_;
};

}  // namespace quern
