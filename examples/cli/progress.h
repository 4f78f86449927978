// A bar on stderr while a command works, shown only on a terminal.
#pragma once
#include <chrono>
#include <string>

namespace cli {

class Progress {
 public:
  explicit Progress(bool wanted);
  ~Progress() { clear(); }
  bool on() const { return on_; }
  bool due() const;  // show() would draw
  // fraction: 0 to 1, or negative when the whole is unknown. Redraws a few times a second.
  void show(double fraction, const std::string& text);
  void clear();

 private:
  bool on_, drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace cli
