// quern chat: a conversation on the terminal.
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "generation.h"
#include "line_editor.h"
#include "os/console.h"
#include "texts.h"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

struct ChatArguments : GenerationArguments {
  std::string model, system;
};

constexpr const char* kHelp =
    "/reset   forget the conversation\n"
    "/system  TEXT: forget it and begin with these instructions\n"
    "/help    this\n"
    "/exit    leave (or Ctrl-D)\n"
    "Ctrl-C stops an answer; a line that ends in \\ goes on in the next. Arrow keys go back to earlier lines.\n";

struct Turn {
  std::string text;
  quern_finish finish = QUERN_FINISH_NONE;
};

int on_turn_token(void* user, const quern_token_event* event) {
  Turn& answer = *static_cast<Turn*>(user);
  answer.text.append(event->text, event->length);
  answer.finish = event->finish;
  std::fwrite(event->text, 1, event->length, stdout);
  return std::fflush(stdout) != 0 || Interrupts::pressed();
}

class Conversation {
 public:
  Conversation(const ChatArguments& a) : system_(a.system) { reset(); }

  void reset() {
    messages_ = Json::array();
    if (!system_.empty()) messages_.push_back({{"role", "system"}, {"content", system_}});
  }
  void instruct(const std::string& system) {
    system_ = system;
    reset();
  }
  void add(const char* role, const std::string& text) { messages_.push_back({{"role", role}, {"content", text}}); }
  void drop_last() { messages_.erase(messages_.size() - 1); }
  std::string json() const { return messages_.dump(-1, ' ', false, Json::error_handler_t::replace); }

 private:
  std::string system_;
  Json messages_;
};

// A line, or several that end in a backslash; false at the end of input.
bool read_message(std::string& message, LineEditor* editor) {
  message.clear();
  for (;;) {
    std::string line;
    if (!(editor != nullptr ? editor->read(message.empty() ? "> " : "… ", line) : os::read_line(line))) {
      if (!Interrupts::pressed() || std::cin.bad()) return !message.empty();
      std::cin.clear();  // Ctrl-C at the prompt: a new line
      std::clearerr(stdin);
      Interrupts::clear();
      message.clear();
      std::fputs("\n(/exit or Ctrl-D leaves)\n", stdout);
      continue;
    }
    const bool more = line.ends_with('\\');
    if (more) line.pop_back();
    message += line;
    if (!more) return true;
    message += '\n';
  }
}

// A failure is told, and the message that led to it forgotten.
void answer_message(const Model& model, const Generator& generator, ChatArguments& a, Conversation& conversation) {
  try {
    const std::vector<int32_t> ids = chat_tokens(model, conversation.json());
    Turn answer;
    Interrupts::clear();
    check(quern_generate(generator.get(), ids.data(), ids.size(), &a.options, on_turn_token, &answer));
    finish_stdout();
    const bool stopped = Interrupts::pressed();
    Interrupts::clear();
    std::printf("%s\n", stopped ? " (stopped)" : "");
    if (answer.finish == QUERN_FINISH_LENGTH && a.options.max_tokens < 0)
      std::printf("(the context of %lld tokens is full: /reset, or a larger --ctx)\n",
                  static_cast<long long>(quern_generator_context(generator.get())));
    conversation.add("assistant", answer.text);
    ++a.options.seed;  // another answer to the same question
  } catch (const Failure& f) {
    std::printf("\n");
    std::fprintf(stderr, "quern: %s\n", f.message.c_str());
    conversation.drop_last();
  }
}

void chat(ChatArguments& a) {
  settle(a);
  const Model model = load(a.model);
  if (!quern_model_has_chat(model.get()))
    throw Failure{2, a.model + ": the model has no chat template; see quern generate"};
  settle_sampling(model, a);
  const Generator generator = open_generator(model, a);
  const Interrupts interrupts;
  Conversation conversation(a);
  const bool terminal = os::is_terminal(os::Stream::in) && os::is_terminal(os::Stream::out);
  if (terminal)
    std::printf("%s: %lld tokens of context, seed %llu. /help tells the commands.\n", a.model.c_str(),
                static_cast<long long>(quern_generator_context(generator.get())),
                static_cast<unsigned long long>(a.options.seed));
  std::optional<LineEditor> editor;
  if (terminal) editor.emplace();
  std::string message;
  while (read_message(message, editor ? &*editor : nullptr)) {
    if (message.empty()) continue;
    if (message == "/exit" || message == "/quit") return;
    if (message == "/reset") {
      conversation.reset();
      std::printf("(forgotten)\n");
    } else if (message == "/help") {
      std::fputs(kHelp, stdout);
    } else if (message.starts_with("/system ")) {
      conversation.instruct(message.substr(8));
      std::printf("(a new conversation)\n");
    } else if (message.starts_with('/') && message.find(' ') == std::string::npos) {
      std::printf("(no such command: /help tells them)\n");
    } else {
      conversation.add("user", message);
      answer_message(model, generator, a, conversation);
    }
  }
  if (terminal) std::printf("\n");
}

}  // namespace

void add_chat(CLI::App& app) {
  auto a = std::make_shared<ChatArguments>();
  CLI::App* c = app.add_subcommand("chat", "talk with a chat model: a line from standard input is a message");
  add_model_option(*c, a->model);
  c->add_option("--system", a->system, "instructions that come before the conversation")->type_name("TEXT");
  add_sampling_options(*c, *a);
  add_generator_options(*c, *a);
  add_machine_options(*c);
  c->callback([a] { chat(*a); });
}

}  // namespace cli
