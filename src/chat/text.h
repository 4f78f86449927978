// Text that remembers which of its bytes came from the input and which from the template, whatever was done to it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern::chat {

// Valid UTF-8 of less than 2 GiB. Where the origin of a byte is unclear it counts as the user's.
class Text {
 public:
  struct Run {
    uint32_t end;  // where it ends; it begins where the one before ends
    bool from_user;
  };

  Text() = default;
  Text(std::string_view bytes, bool from_user) { append(bytes, from_user); }

  const std::string& bytes() const { return bytes_; }
  const std::vector<Run>& runs() const { return runs_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  size_t memory() const { return bytes_.size() + runs_.size() * sizeof(Run); }
  bool any_from_user() const;
  bool from_user_at(size_t byte) const { return runs_[run_at(byte)].from_user; }

  void append(std::string_view bytes, bool from_user);
  void append(const Text& text) { append(text, 0, text.size()); }
  void append(const Text& text, size_t begin, size_t end);
  Text slice(size_t begin, size_t end) const;

 private:
  size_t run_at(size_t byte) const;
  std::string bytes_;
  std::vector<Run> runs_;  // no two neighbours of the same origin
};

// Characters (code points), as Python counts them.
size_t count_chars(std::string_view text);
// The byte where the n-th character begins; text.size() for n = count_chars.
size_t byte_of_char(std::string_view text, size_t n);

}  // namespace quern::chat
