// Lines typed at a terminal, which standard input and output have to be, with editing and what was typed before. By
// libedit, which the constructor opens; where it is not installed lines are read as the terminal gives them.
#pragma once
#include <memory>
#include <string>

namespace cli {

class LineEditor {
 public:
  LineEditor();
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Reads a line without its end. A paste of several lines is one. False at the end of input, or where a signal came
  // (Interrupts::pressed).
  bool read(const char* prompt, std::string& line);

 private:
  struct Library;
  std::unique_ptr<Library> library_;  // null: none
};

}  // namespace cli
