// A chat, in whatever dialect it was asked for: its conversation as OpenAI's messages, its tools, and what comes of the
// text that is generated.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "generation_request.h"

namespace server {

// How many calls are wanted, as quern_tools_new takes it.
struct ToolAsk {
  Json tools = nullptr;  // OpenAI's list; null or empty: none
  std::string choice = "auto";
  bool parallel = true;
};
// tools, tool_choice, parallel_tool_calls as OpenAI's chat has them. Throws Refusal.
ToolAsk openai_tools(const Fields& fields);

// Messages that are objects with a known role; parts of text are the only ones. Throws Refusal.
Json checked_messages(const Fields& fields, const Json& messages);
// What chat_template_kwargs and the fields beside it add.
void add_template_variables(const Fields& fields, Json& conversation);

// The prompt and the tools of a job. conversation: {"messages", variables…}. Throws Refusal.
void prepare_chat(Call& call, const ServedModel& model, Json conversation, const ToolAsk& ask, GenerationJob& job);
// The conversation as text: what prepare_chat makes tokens of.
std::string chat_text(Call& call, const ServedModel& model, const Json& conversation);
void need_chat(const ServedModel& model);

// A piece of an answer: text, or of a call.
struct ChatPiece {
  quern_tool_piece_kind kind = QUERN_PIECE_TEXT;
  size_t call = 0;
  std::string text = {};
  std::string id = {};  // of QUERN_PIECE_CALL
};

// Reads one text of a job as its events come.
class ChatReader {
 public:
  explicit ChatReader(const GenerationJob& job);
  // What came of an event; of one that ends the text, all that was held back too. Throws QuernError.
  std::vector<ChatPiece> read(const GenerationEvent& event);
  bool called() const { return called_; }

 private:
  ToolReaderHandle reader_;  // null: no tools
  bool called_ = false;
};

struct ChatCall {
  std::string id, name, arguments;
};
// A whole answer.
struct ChatTurn {
  std::string text;
  std::vector<ChatCall> calls;
  quern_finish finish = QUERN_FINISH_NONE;
  void add(const ChatPiece& piece);
};
ChatTurn turn_of(const GenerationJob& job, const Generated& text);

// One text of a job that asks for no more, as it comes: pieces, and the stop string that ended it. The job's stop
// strings are to be part of its text (include_stop), which is cut here.
class PieceEvents : public EventFormat {
 public:
  std::string event(const Generation& generation, GenerationEvent event) final;
  std::string end(const Generation& generation) final { return closing(generation); }

 protected:
  virtual std::string opening(const Generation& generation) = 0;  // before the first piece
  virtual std::string piece(const ChatPiece& piece) = 0;
  virtual std::string closing(const Generation& generation) = 0;
  quern_finish finish() const { return finish_; }
  bool called() const { return reader_ && reader_->called(); }
  const std::string& stopped_by() const { return stopped_by_; }  // "": by none

 private:
  std::unique_ptr<ChatReader> reader_;
  quern_finish finish_ = QUERN_FINISH_NONE;
  std::string stopped_by_;
};
// Cuts the stop string that ends a text, and returns it; "" where none does.
std::string cut_stop(const GenerationJob& job, quern_finish finish, std::string& text);

// "event: NAME\ndata: …", as Anthropic's messages and OpenAI's responses have it.
std::string named_event(const char* name, const Json& data);

// JSON text of arguments as an object; an empty one for what is none.
Json arguments_json(const std::string& text);
// "PREFIX" and some 20 random letters and digits.
std::string random_id(const std::string& prefix, size_t n = 20);
int64_t unix_seconds();

// A field that does nothing here, and values that ask for nothing; as JSON, between bars.
struct Unsupported {
  const char *name, *neutral;
};
// Refuses by name what is asked for and not done. prefix: of the fields.
void refuse_unsupported(const Fields& fields, std::span<const Unsupported> table);

}  // namespace server
