#include "progress.h"

#include <algorithm>
#include <cstdio>

#include "common.h"

namespace cli {

Progress::Progress(bool wanted) : on_(wanted && stderr_is_terminal()) {}

bool Progress::due() const {
  return on_ && std::chrono::steady_clock::now() - last_ >= std::chrono::milliseconds(100);
}

void Progress::show(double fraction, const std::string& text) {
  if (!due()) return;
  last_ = std::chrono::steady_clock::now();
  drawn_ = true;
  if (fraction < 0) {
    std::fprintf(stderr, "\r\033[K%s", text.c_str());
  } else {
    const int width = 30, full = static_cast<int>(std::min(fraction, 1.0) * width);
    std::fprintf(stderr, "\r\033[K[%.*s%*s] %3.0f%% %s", full, "==============================", width - full, "",
                 fraction * 100, text.c_str());
  }
  std::fflush(stderr);
}

void Progress::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

}  // namespace cli
