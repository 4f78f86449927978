// Post-processors. See post_processor.h.
#include "post_processor.h"

#include <algorithm>
#include <map>

namespace quern {
namespace {

using Kind = TemplatePiece::Kind;
constexpr size_t max_pieces = 4096;  // of a template: each encoding grows by it
constexpr size_t max_texts = 16;     // of a template: each text may stand in it more than once
constexpr size_t max_trims = 16;
constexpr uint64_t max_type_id = 65535;

using SpecialTokens = std::map<std::string, std::vector<int32_t>>;

// What becomes of a text or a pair on its way through the processors: parts, each of which a processor may put tokens
// around.
using Pieces = std::vector<TemplatePiece>;
using Parts = std::vector<Pieces>;

struct Result {
  Parts single, pair;
  std::vector<bool> trims;
  bool drops_unknown = false;
};

struct Context {
  JsonField field;
  size_t vocab_size;
  Result& result;
};

int32_t token_id(const JsonField& field, size_t vocab_size) {
  const uint64_t id = field.integer(INT32_MAX);
  if (id >= vocab_size)
    field.fail("is " + std::to_string(id) + ", but ids end at " + std::to_string(vocab_size) + " - 1");
  return static_cast<int32_t>(id);
}

Pieces read_template(const JsonField& field, const SpecialTokens& specials) {
  Pieces pieces;
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

// The template with the parts in place of its texts. Each of its pieces becomes a part of its own.
void apply_template(const JsonField& field, const Pieces& single, const Pieces& pair, Parts& parts) {
  if (parts.size() != 1 && parts.size() != 2) {
    field.fail("follows a template, which is not supported", Status::unsupported);
  }
  Parts out;
  for (const TemplatePiece& piece : parts.size() == 1 ? single : pair) {
    if (piece.kind == Kind::special) {
      out.push_back({piece});
      continue;
    }
    out.push_back(parts[piece.kind == Kind::text_a ? 0 : 1]);
    for (TemplatePiece& p : out.back()) p.type_id = piece.type_id;
  }
  parts = std::move(out);
}

void make_template(const Context& c) {
  SpecialTokens specials;
  for (const auto& [name, token] : c.field.at("special_tokens").members()) {
    std::vector<int32_t>& ids = specials[name];
    for (const JsonField& id : token.at("ids").items()) ids.push_back(token_id(id, c.vocab_size));
    if (ids.size() > max_pieces) token.fail("has more than 4096 ids", Status::unsupported);
  }
  const Pieces single = read_template(c.field.at("single"), specials);
  const Pieces pair = read_template(c.field.at("pair"), specials);
  for (const TemplatePiece& piece : single) {
    if (piece.kind == Kind::text_b) c.field.at("single").fail("has the sequence B, which a single text lacks");
  }
  apply_template(c.field, single, pair, c.result.single);
  apply_template(c.field, single, pair, c.result.pair);
}

// ["[SEP]", 102]
int32_t named_token(const Context& c, const char* key) {
  const std::vector<JsonField> items = c.field.at(key).items();
  if (items.size() != 2) c.field.at(key).fail("should be a token and its id");
  return token_id(items[1], c.vocab_size);
}

void surround(Pieces& part, std::initializer_list<int32_t> before, int32_t after, int32_t type_id) {
  Pieces out;
  for (const int32_t id : before) out.push_back({Kind::special, id, type_id});
  out.insert(out.end(), part.begin(), part.end());
  out.push_back({Kind::special, after, type_id});
  part = std::move(out);
}

void make_bert(const Context& c) {
  const int32_t sep = named_token(c, "sep"), cls = named_token(c, "cls");
  for (Parts* parts : {&c.result.single, &c.result.pair}) {
    for (size_t i = 0; i < parts->size(); ++i) {
      if (i == 0) {
        surround((*parts)[i], {cls}, sep, 0);
      } else {
        surround((*parts)[i], {}, sep, 1);
      }
    }
  }
}

void make_byte_level(const Context& c) {
  if (c.field.boolean_or("trim_offsets", true)) {
    c.result.trims.push_back(c.field.boolean_or("add_prefix_space", true));
  }
}

void make_roberta(const Context& c) {
  const int32_t sep = named_token(c, "sep"), cls = named_token(c, "cls");
  make_byte_level(c);
  for (Parts* parts : {&c.result.single, &c.result.pair}) {
    for (size_t i = 0; i < parts->size(); ++i) {
      for (TemplatePiece& piece : (*parts)[i]) piece.type_id = 0;
      surround((*parts)[i], {i == 0 ? cls : sep}, sep, 0);
    }
  }
}

// quern's own: what model2vec does with a text's tokens.
void make_drop_unknown(const Context& c) {
  c.result.drops_unknown = true;
}

void make(const Context& c);

size_t n_texts(const Parts& parts) {
  size_t n = 0;
  for (const Pieces& part : parts) {
    n += static_cast<size_t>(
        std::count_if(part.begin(), part.end(), [](const TemplatePiece& p) { return p.kind != Kind::special; }));
  }
  return n;
}

size_t n_pieces(const Parts& parts) {
  size_t n = 0;
  for (const Pieces& part : parts) n += part.size();
  return n;
}

void make_sequence(const Context& c) {
  for (const JsonField& item : c.field.at("processors").items()) make({item, c.vocab_size, c.result});
}

constexpr struct {
  const char* name;
  void (*make)(const Context&);
} post_processor_types[] = {
    {"BertProcessing", make_bert},       {"ByteLevel", make_byte_level}, {"DropUnknown", make_drop_unknown},
    {"RobertaProcessing", make_roberta}, {"Sequence", make_sequence},    {"TemplateProcessing", make_template},
};

void make(const Context& c) {
  const std::string type = c.field.at("type").string();
  std::string names;
  for (const auto& t : post_processor_types) {
    names += (names.empty() ? "" : ", ") + std::string(t.name);
    if (type != t.name) continue;
    t.make(c);
    for (const Parts& parts : {c.result.single, c.result.pair}) {
      if (n_pieces(parts) > max_pieces) c.field.fail("makes more than 4096 pieces", Status::unsupported);
      if (n_texts(parts) > max_texts) c.field.fail("repeats the text more than 16 times", Status::unsupported);
    }
    if (c.result.trims.size() > max_trims) c.field.fail("trims offsets more than 16 times", Status::unsupported);
    return;
  }
  c.field.fail("type \"" + type + "\" is not supported (supported: " + names + ")", Status::unsupported);
}

Pieces join(const Parts& parts) {
  Pieces out;
  for (const Pieces& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
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
  const Pieces a = {{Kind::text_a, -1, 0}}, b = {{Kind::text_b, -1, 1}};
  Result result = {{a}, {a, b}, {}, false};
  make({field, vocab_size, result});
  return {join(result.single), join(result.pair), std::move(result.trims), result.drops_unknown};
}

}  // namespace quern
