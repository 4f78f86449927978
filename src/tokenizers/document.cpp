// The streaming reader of a tokenizer.json. See document.h.
#include "document.h"

#include <cstdint>
#include <nlohmann/json.hpp>

namespace quern {
namespace {

using nlohmann::json;
constexpr size_t max_bytes = 512u << 20, max_depth = 64, max_values = 1u << 20;

// Receives nlohmann's SAX events. Each returns whether to go on; a failure is left in error.
class Reader final : public nlohmann::json_sax<json> {
 public:
  Reader(TokenizerDocument& document, json& root) : document_(document), root_(root) {}
  std::string error;

  bool null() override { return value(nullptr); }
  bool boolean(bool v) override { return value(v); }
  bool number_integer(int64_t v) override { return in_vocab() ? piece(v) : value(v); }
  bool number_unsigned(uint64_t v) override {
    return in_vocab() ? piece(v > INT64_MAX ? INT64_MAX : static_cast<int64_t>(v)) : value(v);
  }
  bool number_float(double v, const std::string&) override { return value(v); }
  bool string(std::string& v) override { return value(std::move(v)); }
  bool binary(json::binary_t&) override { return false; }
  bool key(std::string& v) override {
    if (in_vocab() || skipping_ == 0) key_ = std::move(v);
    return true;
  }
  bool start_object(size_t) override {
    if (at_model_member("vocab")) return open_vocab(TokenizerDocument::VocabKind::object);
    return open(json::object());
  }
  bool start_array(size_t) override {
    if (at_model_member("vocab")) return open_vocab(TokenizerDocument::VocabKind::array);
    if (at_model_member("merges")) {
      document_.has_merges = true;
      ++skipping_;
      return true;
    }
    return open(json::array());
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(size_t, const std::string&, const json::exception& e) override {
    error = std::string("is not valid JSON: ") + e.what();
    return false;
  }

 private:
  // Depth 2 is a member of the root's "model".
  bool at_model_member(const char* name) const {
    return skipping_ == 0 && open_.size() == 2 && in_model_ && open_.back()->is_object() && key_ == name;
  }
  bool in_vocab() const { return reading_vocab_ && skipping_ == 1; }

  bool piece(int64_t id) {
    document_.vocab.add(key_, id);
    return true;
  }

  bool open_vocab(TokenizerDocument::VocabKind kind) {
    if (document_.vocab_kind != TokenizerDocument::VocabKind::none) return fail("model has \"vocab\" twice");
    document_.vocab_kind = kind;
    reading_vocab_ = kind == TokenizerDocument::VocabKind::object;
    ++skipping_;
    return true;
  }

  bool open(json&& container) {
    if (open_.size() + skipping_ >= max_depth) return fail("is nested deeper than 64 levels");
    if (in_vocab()) return fail("model.vocab[\"" + key_ + "\"] should be a whole number");
    if (skipping_ > 0) {
      ++skipping_;
      return true;
    }
    in_model_ = open_.size() == 1 ? key_ == "model" : in_model_;
    json* place = put(std::move(container));
    if (place == nullptr) return false;
    open_.push_back(place);
    return true;
  }

  bool close() {
    if (skipping_ > 0) {
      --skipping_;
      reading_vocab_ = reading_vocab_ && skipping_ > 0;
    } else {
      open_.pop_back();
    }
    return true;
  }

  bool value(json&& v) {
    if (in_vocab()) return fail("model.vocab[\"" + key_ + "\"] should be a whole number");
    return skipping_ > 0 || put(std::move(v)) != nullptr;
  }

  json* put(json&& v) {
    if (++n_values_ > max_values) return fail("has more than a million values beside its vocabulary"), nullptr;
    if (open_.empty()) return &(root_ = std::move(v));
    json& parent = *open_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(v));
    parent.push_back(std::move(v));
    return &parent.back();
  }

  bool fail(const std::string& what) {
    error = what;
    return false;
  }

  TokenizerDocument& document_;
  json& root_;
  std::vector<json*> open_;  // containers being filled; an array grows only while its last item is complete
  std::string key_;
  size_t skipping_ = 0;  // containers open within one that is left out of the JSON value
  bool reading_vocab_ = false, in_model_ = false;
  size_t n_values_ = 0;
};

}  // namespace

TokenizerDocument::TokenizerDocument(std::string_view text, std::string file_name)
    : file(std::move(file_name)), json(std::make_unique<nlohmann::json>()) {
  if (text.size() > max_bytes) {
    throw Error(Status::unsupported,
                file + ": should be at most 512 MB, but has " + std::to_string(text.size()) + " bytes");
  }
  Reader reader(*this, *json);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &reader))
    throw Error(Status::bad_file, clip_message(file + ": " + reader.error));
  if (!json->is_object()) throw Error(Status::bad_file, file + ": should be a JSON object");
}

TokenizerDocument::~TokenizerDocument() = default;

}  // namespace quern
