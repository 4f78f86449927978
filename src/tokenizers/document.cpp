// The streaming reader of a tokenizer.json. See document.h.
#include "document.h"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "model.h"

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
  bool number_integer(int64_t v) override { return long_part_ == LongPart::none ? value(v) : number(v, double(v)); }
  bool number_unsigned(uint64_t v) override {
    if (long_part_ == LongPart::none) return value(v);
    return number(v > INT64_MAX ? INT64_MAX : static_cast<int64_t>(v), static_cast<double>(v));
  }
  bool number_float(double v, const std::string&) override {
    if (long_part_ == LongPart::scores && inside_ == 1) return number(0, v);
    return value(v);
  }
  bool string(std::string& v) override {
    if (long_part_ == LongPart::none) return value(std::move(v));
    if (long_part_ == LongPart::scores && inside_ == 1 && n_parts_++ == 0) {
      first_ = std::move(v);
      return true;
    }
    return long_part_ == LongPart::merges ? merge_part(v) : wrong_item();
  }
  bool binary(json::binary_t&) override { return false; }
  bool key(std::string& v) override {
    key_ = std::move(v);
    return true;
  }
  bool start_object(size_t) override {
    if (at_model_member("vocab")) return open_vocab(TokenizerDocument::VocabKind::object, LongPart::ids);
    return open(json::object());
  }
  bool start_array(size_t) override {
    if (at_model_member("vocab")) return open_vocab(TokenizerDocument::VocabKind::array, LongPart::scores);
    if (at_model_member("merges")) {
      if (document_.has_merges) return fail("model has \"merges\" twice");
      document_.has_merges = true;
      long_part_ = LongPart::merges;
      return true;
    }
    if ((long_part_ == LongPart::scores || long_part_ == LongPart::merges) && inside_ == 0) {
      inside_ = 1;
      n_parts_ = 0;
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
  // What is being read that is left out of the JSON value: {piece: id}, [[piece, score]], ["a b" or ["a", "b"]].
  enum class LongPart { none, ids, scores, merges };

  // Depth 2 is a member of the root's "model".
  bool at_model_member(const char* name) const {
    return long_part_ == LongPart::none && open_.size() == 2 && in_model_ && open_.back()->is_object() && key_ == name;
  }

  bool number(int64_t id, double score) {
    if (long_part_ == LongPart::ids) {
      document_.vocab.add(key_, id);
      return true;
    }
    if (long_part_ != LongPart::scores || inside_ != 1 || n_parts_++ != 1) return wrong_item();
    score_ = score;
    return true;
  }

  bool merge_part(std::string& text) {
    if (inside_ == 1) {
      if (n_parts_++ == 0) {
        first_ = std::move(text);
        return true;
      }
      second_ = std::move(text);
      return n_parts_ == 2 || wrong_item();
    }
    if (text.starts_with("#version")) return true;
    const size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) return wrong_item();
    document_.merges.add(std::string_view(text).substr(0, space), std::string_view(text).substr(space + 1));
    return true;
  }

  bool add_item() {
    if (long_part_ == LongPart::merges) {
      document_.merges.add(first_, second_);
    } else {
      document_.vocab.add(first_, static_cast<int64_t>(document_.scores.size()));
      document_.scores.push_back(score_);
    }
    return true;
  }

  bool wrong_item() {
    switch (long_part_) {
      case LongPart::ids:
        return fail("model.vocab[\"" + key_ + "\"] should be a whole number");
      case LongPart::scores:
        return fail("model.vocab[" + std::to_string(document_.scores.size()) + "] should be [piece, score]");
      default:
        return fail("model.merges[" + std::to_string(document_.merges.size()) +
                    "] should be \"a b\" or [\"a\", \"b\"]");
    }
  }

  bool open_vocab(TokenizerDocument::VocabKind kind, LongPart part) {
    if (document_.vocab_kind != TokenizerDocument::VocabKind::none) return fail("model has \"vocab\" twice");
    document_.vocab_kind = kind;
    long_part_ = part;
    return true;
  }

  bool open(json&& container) {
    if (open_.size() >= max_depth) return fail("is nested deeper than 64 levels");
    if (long_part_ != LongPart::none) return wrong_item();
    in_model_ = open_.size() == 1 ? key_ == "model" : in_model_;
    json* place = put(std::move(container));
    if (place == nullptr) return false;
    open_.push_back(place);
    return true;
  }

  bool close() {
    if (inside_ == 1) {
      inside_ = 0;
      return n_parts_ == 2 ? add_item() : wrong_item();
    }
    if (long_part_ != LongPart::none) {
      long_part_ = LongPart::none;
    } else {
      open_.pop_back();
    }
    return true;
  }

  bool value(json&& v) { return long_part_ != LongPart::none ? wrong_item() : put(std::move(v)) != nullptr; }

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
  std::string key_, first_, second_;
  double score_ = 0;
  LongPart long_part_ = LongPart::none;
  int inside_ = 0, n_parts_ = 0;  // whether within an item of the long part, and how much of it was read
  bool in_model_ = false;
  size_t n_values_ = 0;
};

}  // namespace

void MergeList::add(std::string_view left, std::string_view right) {
  for (const std::string_view part : {left, right}) {
    bytes_ += part;
    ends_.push_back(static_cast<uint32_t>(bytes_.size()));
  }
}

std::string_view MergeList::part(size_t k) const {
  const uint32_t begin = k == 0 ? 0 : ends_[k - 1];
  return std::string_view(bytes_).substr(begin, ends_[k] - begin);
}

TokenizerDocument::TokenizerDocument(std::string_view text, std::string file_name, const TableSource* tables_)
    : file(std::move(file_name)), json(std::make_unique<nlohmann::json>()), tables(tables_) {
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

std::string TokenizerDocument::outline() const {
  nlohmann::json copy = *json;
  copy.at("model")["type"] = model_type(*this);
  return copy.dump();
}

}  // namespace quern
