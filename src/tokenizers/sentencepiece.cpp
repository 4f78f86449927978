// A reader of the few protocol-buffer fields that matter. See sentencepiece.h.
#include "sentencepiece.h"

#include <cstring>

#include "error.h"
#include "utf8.h"
#include "vocabulary.h"

namespace quern {
namespace {

// One message: its fields one after the other. (https://protobuf.dev/programming-guides/encoding)
class Message {
 public:
  Message(std::string_view bytes, const std::string& name) : rest_(bytes), name_(name) {}

  // The next field; false at the end. Its value is then in number (varint, or the bits of a float) or bytes.
  bool next() {
    if (rest_.empty()) return false;
    const uint64_t key = varint();
    field = key >> 3;
    bytes = {};
    number = 0;
    switch (key & 7) {
      case 0:
        number = varint();
        return true;
      case 1:
        fixed(8);
        return true;
      case 2:
        bytes = take(varint());
        return true;
      case 5:
        fixed(4);
        return true;
      default:
        fail("has a field of an unknown kind");
    }
  }
  float as_float() const {
    const uint32_t bits = static_cast<uint32_t>(number);
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Status::bad_file, name_ + ": is no SentencePiece model: it " + what);
  }

  uint64_t field = 0, number = 0;
  std::string_view bytes;

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = static_cast<uint8_t>(take(1)[0]);
      value |= uint64_t{byte & 127u} << shift;
      if (byte < 128) return value;
    }
    fail("has a number of more than ten bytes");
  }
  void fixed(size_t size) {
    const std::string_view raw = take(size);
    std::memcpy(&number, raw.data(), size);
  }
  std::string_view take(uint64_t size) {
    if (size > rest_.size()) {
      fail("ends within a field of " + std::to_string(size) + " bytes, of which " + std::to_string(rest_.size()) +
           " are there");
    }
    const std::string_view taken = rest_.substr(0, static_cast<size_t>(size));
    rest_.remove_prefix(static_cast<size_t>(size));
    return taken;
  }
  std::string_view rest_;
  const std::string& name_;
};

void read_piece(Message m, ExternalVocabulary& v) {
  std::string_view piece;
  double score = 0;
  uint64_t kind = static_cast<uint64_t>(PieceKind::normal);
  while (m.next()) {
    if (m.field == 1) piece = m.bytes;
    if (m.field == 2) score = static_cast<double>(m.as_float());
    if (m.field == 3) kind = m.number;
  }
  if (v.pieces.size() == Vocabulary::max_pieces) m.fail("has too many pieces");
  if (kind < 1 || kind > 6) m.fail("has a piece of the unknown type " + std::to_string(kind));
  if (find_invalid_utf8(piece) != piece.size()) m.fail("has a piece that is not UTF-8");
  v.pieces.emplace_back(piece);
  v.scores.push_back(score);
  v.kinds.push_back(static_cast<PieceKind>(kind));
}

void read_trainer(Message m, SentencePieceModel& model) {
  while (m.next()) {
    if (m.field == 3) {
      if (m.number != 1 && m.number != 2)
        throw Error(Status::unsupported, model.vocabulary.file + ": SentencePiece's model_type is " +
                                             std::to_string(m.number) + "; quern has unigram (1) and bpe (2)");
      model.type = static_cast<SentencePieceModel::Type>(m.number);
    }
    if (m.field == 35) model.byte_fallback = m.number != 0;
    if (m.field == 40) model.unknown = static_cast<size_t>(m.number);
  }
}

void read_normalizer(Message m, SpmNormalizer& normalizer) {
  while (m.next()) {
    if (m.field == 2) normalizer.charsmap = m.bytes;
    if (m.field == 3) normalizer.add_space_prefix = m.number != 0;
    if (m.field == 4) normalizer.remove_extra_spaces = m.number != 0;
  }
}

}  // namespace

SentencePieceModel read_sentencepiece(std::string_view bytes, const std::string& name) {
  SentencePieceModel model;
  model.vocabulary.file = name;
  Message m(bytes, name);
  while (m.next()) {
    if (m.field == 1) read_piece({m.bytes, name}, model.vocabulary);
    if (m.field == 2) read_trainer({m.bytes, name}, model);
    if (m.field == 3) read_normalizer({m.bytes, name}, model.normalizer);
  }
  const size_t n = model.vocabulary.pieces.size();
  if (model.unknown >= n)
    m.fail("has " + std::to_string(n) + " pieces, but its unknown one is " + std::to_string(model.unknown));
  return model;
}

}  // namespace quern
