// Stop strings in a text that comes piece by piece.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

class StopStrings {
 public:
  static constexpr size_t max_strings = 64, max_bytes = 4096;  // bytes of one string

  // include: whether the stop string is part of the text that is given out. Throws Error bad_argument: too many
  // strings, one that is empty, too long or no UTF-8.
  explicit StopStrings(std::vector<std::string> strings, bool include = false);

  // Appends to out what can be shown now: whole characters that no stop string can reach back to, wherever pieces were
  // cut. The string that ends first stops the text; of those that end at one place, the longest. Returns whether it is
  // stopped; pieces after that are ignored. Takes time in proportion to bytes × strings.
  bool push(std::string_view piece, std::string& out);
  // No more pieces come: appends what was held back, as it is.
  void flush(std::string& out);

  bool stopped() const { return which_.has_value(); }
  // The place of the string that stopped the text, in the constructor's list.
  std::optional<size_t> which() const { return which_; }

 private:
  struct Matcher {
    std::string text;
    std::vector<size_t> border;  // of the first i bytes: the longest proper beginning that is their end too
    size_t n_matched = 0;
    bool step(char byte);  // whether the text ends here
  };
  std::vector<Matcher> matchers_;
  bool include_;
  std::string held_;
  std::optional<size_t> which_;
};

}  // namespace quern
