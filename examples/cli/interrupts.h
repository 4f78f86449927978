// Being asked to stop.
#pragma once

namespace cli {

// While one of these lives, SIGINT, SIGTERM and SIGHUP set pressed() instead of ending the program, so that what was
// begun is cleared away; a second signal ends it. One at a time.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  static bool pressed();
  static void clear();
  // Throws Failure{128 + signal} once one has come.
  static void check();
};

}  // namespace cli
