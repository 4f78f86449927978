// Post-processors. See post_processor.h.
#include "post_processor.h"

#include <algorithm>
#include <map>

namespace quern {
namespace {

using Kind = TemplatePiece::Kind;
constexpr size_t max_pieces = 4096;  // of a template: each encoding grows by it
constexpr uint64_t max_type_id = 65535;

using SpecialTokens = std::map<std::string, std::vector<int32_t>>;

struct Context {
  JsonField field;
  size_t vocab_size;
};

int32_t token_id(const JsonField& field, size_t vocab_size) {
  const uint64_t id = field.integer(INT32_MAX);
  if (id >= vocab_size)
    field.fail("is " + std::to_string(id) + ", but ids end at " + std::to_string(vocab_size) + " - 1");
  return static_cast<int32_t>(id);
}

std::vector<TemplatePiece> read_template(const JsonField& field, const SpecialTokens& specials) {
  std::vector<TemplatePiece> pieces;
  for (const JsonField& item : field.items()) {
    if (const auto sequence = item.find("Sequence")) {
      const std::string id = sequence->at("id").string();
      if (id != "A" && id != "B") sequence->fail("has the id \"" + id + "\"; expected A or B");
      const int32_t type_id = static_cast<int32_t>(sequence->at("type_id").integer(max_type_id));
      pieces.push_back({id == "A" ? Kind::text_a : Kind::text_b, -1, type_id});
      continue;
    }
    const JsonField special = item.at("SpecialToken");
    const auto known = specials.find(special.at("id").string());
    if (known == specials.end()) {
      special.fail("names \"" + special.at("id").string() + "\", which is not in special_tokens");
    }
    const int32_t type_id = static_cast<int32_t>(special.at("type_id").integer(max_type_id));
    for (const int32_t id : known->second) pieces.push_back({Kind::special, id, type_id});
    if (pieces.size() > max_pieces) field.fail("has more than 4096 pieces", Status::unsupported);
  }
  return pieces;
}

PostProcessor make_template(const Context& c) {
  SpecialTokens specials;
  for (const auto& [name, token] : c.field.at("special_tokens").members()) {
    std::vector<int32_t>& ids = specials[name];
    for (const JsonField& id : token.at("ids").items()) ids.push_back(token_id(id, c.vocab_size));
    if (ids.size() > max_pieces) token.fail("has more than 4096 ids", Status::unsupported);
  }
  PostProcessor result;
  result.single = read_template(c.field.at("single"), specials);
  result.pair = read_template(c.field.at("pair"), specials);
  for (const TemplatePiece& piece : result.single) {
    if (piece.kind == Kind::text_b) c.field.at("single").fail("has the sequence B, which a single text lacks");
  }
  return result;
}

// ["[SEP]", 102]
int32_t named_token(const Context& c, const char* key) {
  const std::vector<JsonField> items = c.field.at(key).items();
  if (items.size() != 2) c.field.at(key).fail("should be a token and its id");
  return token_id(items[1], c.vocab_size);
}

PostProcessor make_bert(const Context& c) {
  const int32_t sep = named_token(c, "sep"), cls = named_token(c, "cls");
  PostProcessor result;
  result.single = {{Kind::special, cls, 0}, {Kind::text_a, -1, 0}, {Kind::special, sep, 0}};
  result.pair = result.single;
  result.pair.insert(result.pair.end(), {{Kind::text_b, -1, 1}, {Kind::special, sep, 1}});
  return result;
}

PostProcessor make_roberta(const Context& c) {
  const int32_t sep = named_token(c, "sep"), cls = named_token(c, "cls");
  PostProcessor result;
  result.single = {{Kind::special, cls, 0}, {Kind::text_a, -1, 0}, {Kind::special, sep, 0}};
  result.pair = result.single;
  result.pair.insert(result.pair.end(), {{Kind::special, sep, 0}, {Kind::text_b, -1, 0}, {Kind::special, sep, 0}});
  result.trim_offsets = c.field.boolean_or("trim_offsets", true);
  result.add_prefix_space = c.field.boolean_or("add_prefix_space", true);
  return result;
}

PostProcessor make(const Context& c);

PostProcessor make_sequence(const Context& c) {
  PostProcessor result = no_post_processor();
  size_t n_templates = 0;
  for (const JsonField& item : c.field.at("processors").items()) {
    result = make({item, c.vocab_size});
    if (++n_templates > 1) c.field.fail("of more than one processor is not supported", Status::unsupported);
  }
  return result;
}

constexpr struct {
  const char* name;
  PostProcessor (*make)(const Context&);
} post_processor_types[] = {
    {"BertProcessing", make_bert},
    {"RobertaProcessing", make_roberta},
    {"Sequence", make_sequence},
    {"TemplateProcessing", make_template},
};

PostProcessor make(const Context& c) {
  const std::string type = c.field.at("type").string();
  std::string known;
  for (const auto& t : post_processor_types) {
    if (type == t.name) return t.make(c);
    known += (known.empty() ? "" : ", ") + std::string(t.name);
  }
  c.field.fail("type \"" + type + "\" is not supported (supported: " + known + ")", Status::unsupported);
}

}  // namespace

size_t PostProcessor::n_special(bool of_pair) const {
  const std::vector<TemplatePiece>& pieces = of_pair ? pair : single;
  return static_cast<size_t>(
      std::count_if(pieces.begin(), pieces.end(), [](const TemplatePiece& p) { return p.kind == Kind::special; }));
}

PostProcessor no_post_processor() {
  PostProcessor result;
  result.single = {{Kind::text_a, -1, 0}};
  result.pair = {{Kind::text_a, -1, 0}, {Kind::text_b, -1, 1}};
  return result;
}

PostProcessor make_post_processor(const JsonField& field, size_t vocab_size) {
  return make({field, vocab_size});
}

}  // namespace quern
