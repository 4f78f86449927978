// A generated text as it comes: what of it is for the reader, and what calls tools.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chat/call_scan.h"
#include "chat/tool_set.h"

namespace quern {

struct ToolPiece {
  enum class Kind : unsigned char { text, call, arguments, end };
  Kind kind;
  size_t call;       // its number, from 0; not of text
  std::string text;  // of text and arguments: more of it; of call: the tool's name
};

// Not for use by several threads at once. A call is told as soon as its tool is known, and its arguments, JSON text, as
// they come; what looks like a call but is none of the tools' is text. White space around calls is left out. Where
// calls may not be parallel, nothing counts behind the first.
class ToolReader {
 public:
  explicit ToolReader(std::shared_ptr<const ToolSet> tools);
  void push(std::string_view text, std::vector<ToolPiece>& out);
  // No more text comes.
  void finish(std::vector<ToolPiece>& out);
  size_t calls() const { return n_calls_ + in_call_; }  // that were begun

 private:
  enum class Mode : unsigned char { text, calls, object, name, arguments, braces };
  enum class Step : unsigned char { more, waits };

  Step read_text(std::vector<ToolPiece>& out);
  Step read_between(std::vector<ToolPiece>& out);
  Step read_object(std::vector<ToolPiece>& out);
  Step read_name(std::vector<ToolPiece>& out);
  Step read_arguments(std::vector<ToolPiece>& out);
  Step read_braces(std::vector<ToolPiece>& out);
  bool begin_call(const std::string& name, std::vector<ToolPiece>& out);
  void end_call(std::vector<ToolPiece>& out);
  Step fall_back(std::vector<ToolPiece>& out);
  void say(std::string_view text, std::vector<ToolPiece>& out);
  bool tells_calls() const { return n_calls_ == 0 || tools_->parallel; }
  std::string_view rest() const { return std::string_view(buffer_).substr(at_); }
  void consume(size_t n);
  size_t marker_at(std::string_view text, std::string_view& which, bool& part) const;

  const std::shared_ptr<const ToolSet> tools_;
  std::vector<std::string> begins_;  // markers before calls
  std::string end_;                  // behind them, without white space
  Mode mode_ = Mode::text;
  std::string buffer_;  // what is not read yet, from at_; before it what is to be text if no call comes of it
  size_t at_ = 0;
  std::string held_spaces_;  // at a text's end, which a call drops
  bool fresh_ = true;        // nothing but white space came so far
  bool in_call_ = false;
  bool unmarked_ = false;  // no marker came before what may be calls
  size_t n_calls_ = 0;
  std::unique_ptr<CallScan> scan_;
};

}  // namespace quern
