// Text to token ids and back, by a tokenizer.json executed as it is written. This is all that the rest of quern
// includes of this folder. Not for training.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

struct TableSource;

// A half-open range: bytes of a text, unless said otherwise.
struct Span {
  uint32_t begin = 0, end = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

// Which text of a pair is cut: the longer one first, or one alone.
enum class Truncation : uint8_t { longest_first, only_first, only_second };

struct EncodeOptions {
  bool add_special = true;
  size_t max_length = 0;  // of all ids, the special tokens among them; 0: no limit
  bool truncate_left = false;
  Truncation truncation = Truncation::longest_first;
  size_t stride = 0;  // tokens that a window shares with the one before; for encode_windows alone
  bool want_offsets = false;
  // Where special tokens are not recognized: bytes of the text (of a pair's first text, the second has none), in order
  // and apart. Special tokens are found only in the bytes between; other added tokens everywhere.
  std::span<const Span> plain = {};
};

struct Encoding {
  std::vector<int32_t> ids, type_ids;   // of the same length
  std::vector<Span> offsets;            // bytes of the text as given; {0,0} for specials; only with want_offsets
  std::vector<uint8_t> special_mask;    // 1: put in by the post-processor
  std::vector<uint8_t> attention_mask;  // 0: padding; empty before pad()
  size_t n_dropped = 0;                 // tokens cut by truncation
  size_t n_invalid = 0;                 // invalid UTF-8 sequences, each read as U+FFFD
};

// What a tokenizer.json says of padding, for pad() of padding.h.
struct Padding {
  size_t length = 0;  // 0: that of the longest encoding of the batch
  size_t multiple_of = 0;
  bool left = false;
  int32_t id = 0, type_id = 0;
};

// Immutable once parsed; every method may be called from any number of threads.
class Tokenizer {
 public:
  // json: the bytes of a tokenizer.json; name: the file's name for messages. Throws Error: bad_file or unsupported.
  // fast_path = false makes every text take the general path: for tests.
  // tables: where the vocabulary lies if json is an outline; its memory is used in place and must outlive the
  // tokenizer.
  static std::unique_ptr<const Tokenizer> parse(std::string_view json, const std::string& name, bool fast_path = true,
                                                const TableSource* tables = nullptr);
  // A tokenizer.json without its vocabulary and merges, which save() gives in the form that is used in place.
  static std::string outline(std::string_view json, const std::string& name);
  void save(const std::function<void(std::string_view name, std::span<const std::byte> bytes)>& sink) const;
  ~Tokenizer();

  // Any bytes will do as a text. The file's own truncation and padding are not applied. Reuses out's memory.
  // Throws Error bad_argument if max_length is below n_special, truncation cannot cut enough, a text is above 1 GiB, or
  // a regular expression of the file takes too many steps; unsupported if the model's own vocabulary makes a special
  // token of plain bytes.
  void encode(std::string_view text, const EncodeOptions& options, Encoding& out) const;
  void encode_pair(std::string_view a, std::string_view b, const EncodeOptions& options, Encoding& out) const;

  // All of a text or a pair, as encodings of at most max_length ids: the first is what encode() gives, and each
  // further one goes on where another was cut, in the order of the reference's overflowing encodings.
  std::vector<Encoding> encode_windows(std::string_view text, const EncodeOptions& options) const;
  std::vector<Encoding> encode_pair_windows(std::string_view a, std::string_view b, const EncodeOptions& options) const;

  // The text of ids. Ids that there are not are left out, and, with skip_special, added tokens that are special.
  std::string decode(std::span<const int32_t> ids, bool skip_special) const;

  size_t vocab_size() const;                 // ids are 0 … vocab_size - 1; added tokens count
  std::string_view piece(int32_t id) const;  // "" for an id out of range
  int32_t id(std::string_view piece) const;  // -1 when absent
  bool is_special(int32_t id) const;         // an added token that no text is
  bool is_added(int32_t id) const;           // not of the model's own vocabulary, or special in it
  size_t n_special(bool pair) const;         // how many tokens the post-processor adds
  // What the file says, for the caller to use or not.
  std::optional<size_t> file_max_length() const;
  std::optional<EncodeOptions> file_truncation() const;
  // Whether the file would have a long text keep its end.
  bool cuts_left() const;
  std::optional<Padding> file_padding() const;

 private:
  friend class TokenBytes;
  friend class TokenDecoder;
  struct Pipeline;
  explicit Tokenizer(std::unique_ptr<const Pipeline> pipeline);
  std::unique_ptr<const Pipeline> pipeline_;
};

// The text of ids that come one after the other. All that push() and flush() append together is decode() of all ids;
// each part ends with a whole character.
class TokenDecoder {
 public:
  TokenDecoder(const Tokenizer& tokenizer, bool skip_special);  // the tokenizer must outlive it
  ~TokenDecoder();
  void push(int32_t id, std::string& out, bool show = false);  // show: a special token too
  // Appends what was held back. After it a new text begins.
  void flush(std::string& out);

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace quern
