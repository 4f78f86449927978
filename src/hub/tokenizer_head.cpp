// See tokenizer_head.h.
#include "hub/tokenizer_head.h"

#include <utility>
#include <vector>

namespace quern {
namespace {

using Json = nlohmann::json;

class HeadFinder : public nlohmann::json_sax<Json> {
 public:
  TokenizerHead head;
  bool complete = false;  // nothing that is left is wanted

  bool null() override { return put(nullptr); }
  bool boolean(bool v) override { return put(v); }
  bool number_integer(int64_t v) override { return put(v); }
  bool number_unsigned(uint64_t v) override { return put(v); }
  bool number_float(double v, const std::string&) override { return put(v); }
  bool string(std::string& v) override {
    if (in_model_ && depth_ == 2 && key_ == "type") head.model = v;
    return !stops() && put(v);
  }
  bool binary(Json::binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return depth_ > 0 && open(Json::array()); }  // the whole is an object
  bool key(std::string& text) override {
    if (depth_ == 1) {
      in_model_ = text == "model";
      kept_ = text == "added_tokens" || text == "normalizer" || text == "truncation";
      if (kept_) at_ = {&head.members};
    }
    key_ = text;
    return !stops();
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

 private:
  Json* add(Json value) {
    Json& parent = *at_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }
  // Files as they are saved have the vocabulary behind everything else.
  bool stops() {
    complete = in_model_ && !head.model.empty() && head.members.contains("added_tokens") &&
               head.members.contains("normalizer");
    return complete;
  }
  bool put(Json value) {
    if (kept_) add(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (++depth_ > 64) return false;
    if (kept_ && depth_ > 1) at_.push_back(add(std::move(value)));
    return true;
  }
  bool close() {
    if (kept_ && depth_ > 1) at_.pop_back();
    --depth_;
    return true;
  }
  int depth_ = 0;
  bool kept_ = false, in_model_ = false;
  std::string key_;
  std::vector<Json*> at_;  // from head to what is being read; only the last grows, so the others stay where they are
};

}  // namespace

uint64_t TokenizerHead::truncation_length() const {
  const auto truncation = members.find("truncation");
  if (truncation == members.end() || !truncation->is_object()) return 0;
  const auto length = truncation->find("max_length");
  return length != truncation->end() && length->is_number_unsigned() ? length->get<uint64_t>() : 0;
}

TokenizerHead read_tokenizer_head(const std::string& tokenizer_json) {
  HeadFinder finder;
  finder.head.readable = Json::sax_parse(tokenizer_json, &finder) || finder.complete;
  return std::move(finder.head);
}

}  // namespace quern
