#include "line_editor.h"

#ifdef QUERN_LIBEDIT
#include <histedit.h>
#include <poll.h>
#include <unistd.h>
#endif

#include <clocale>
#include <csignal>
#include <cstdio>
#include <cwchar>
#include <iostream>
#include <string_view>
#include <type_traits>
#include <utility>

#include "interrupts.h"
#include "os/console.h"
#include "os/library.h"

namespace cli {
namespace {

// As the terminal gives it.
bool read_plainly(const char* prompt, std::string& line) {
  std::fputs(prompt, stdout);
  std::fflush(stdout);
  return os::read_line(line);
}

}  // namespace

#ifdef QUERN_LIBEDIT

namespace {

// Terminals put these around what is pasted, once they are asked to.
constexpr const char *kAskForMarks = "\x1b[?2004h", *kNoMarks = "\x1b[?2004l";
constexpr std::wstring_view kPasteEnd = L"\x1b[201~";
constexpr wchar_t kLineMark = L'\u23ce';  // stands for a line's end while a paste is edited
constexpr std::string_view kLineMarkText = "\u23ce";
constexpr size_t kMostPasted = 1 << 20;

// False where a signal has come or comes meanwhile: one that comes just before the wait ends it too.
bool wait_for_input() {
  sigset_t signals, before;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  pollfd in{STDIN_FILENO, POLLIN, 0};
  const int n = Interrupts::pressed() ? -1 : ppoll(&in, 1, nullptr, &before);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return n > 0;
}

// A character of standard input. Unlike libedit's own it ends at a signal.
int read_character(EditLine*, wchar_t* character) {
  std::string bytes;
  while (bytes.size() < 4) {
    char byte;
    if (!wait_for_input()) return -1;
    const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
    if (n <= 0) return static_cast<int>(n);
    bytes += byte;
    std::mbstate_t state{};
    const size_t used = std::mbrtowc(character, bytes.data(), bytes.size(), &state);
    if (used <= bytes.size()) return 1;
    if (used == static_cast<size_t>(-1)) break;
  }
  *character = L'\ufffd';
  return 1;
}

}  // namespace

struct LineEditor::Library {
  void* handle = nullptr;
  EditLine* edit = nullptr;
  History* history = nullptr;
  std::string prompt;
#define QUERN_LIBEDIT_NAMES(X) \
  X(el_init)                   \
  X(el_end) X(el_set) X(el_wset) X(el_gets) X(el_wgetc) X(el_winsertstr) X(history_init) X(history_end) X(history)
#define QUERN_POINTER(name) std::add_pointer_t<decltype(::name)> name##_ = nullptr;
  QUERN_LIBEDIT_NAMES(QUERN_POINTER)
#undef QUERN_POINTER

  bool open() {
    std::string why;
    handle = os::open_library("libedit.so.2", why);
    if (handle == nullptr) return false;
#define QUERN_FIND(name)                                                                          \
  name##_ = reinterpret_cast<std::add_pointer_t<decltype(::name)>>(os::symbol_of(handle, #name)); \
  if (name##_ == nullptr) return false;
    QUERN_LIBEDIT_NAMES(QUERN_FIND)
#undef QUERN_FIND
    setlocale(LC_CTYPE, "C.UTF-8");  // how it reads letters; texts are UTF-8 here whatever the environment says
    edit = el_init_("quern", stdin, stdout, stderr);
    history = history_init_();
    if (edit == nullptr || history == nullptr) return false;
    HistEvent event;
    history_(history, &event, H_SETSIZE, 1000);
    history_(history, &event, H_SETUNIQUE, 1);
    el_set_(edit, EL_EDITOR, "emacs");
    el_set_(edit, EL_HIST, history_, history);
    el_set_(edit, EL_GETCFN, read_character);
    el_set_(
        edit, EL_PROMPT, +[](EditLine*) -> char* { return current->prompt.data(); });
    el_wset_(
        edit, EL_ADDFN, L"quern-paste", L"Insert what is pasted",  // el_set would copy the names and keep them
        +[](EditLine* e, int) -> unsigned char { return current->paste(e); });
    el_set_(edit, EL_BIND, "\\e[200~", "quern-paste", nullptr);
    el_set_(edit, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    return true;
  }
  unsigned char paste(EditLine* e) {
    std::wstring text;
    wchar_t c;
    while (text.size() < kMostPasted && el_wgetc_(e, &c) == 1) {
      text += c;
      if (text.ends_with(kPasteEnd)) break;
    }
    if (text.ends_with(kPasteEnd)) text.resize(text.size() - kPasteEnd.size());
    std::wstring shown;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
      if (text[i] == '\r' || text[i] == '\n')
        shown += kLineMark;
      else if (text[i] >= ' ' || text[i] == '\t')
        shown += text[i] == '\t' ? L' ' : text[i];
    }
    return el_winsertstr_(e, shown.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
  }
  ~Library() {
    if (history != nullptr) history_end_(history);
    if (edit != nullptr) el_end_(edit);
    // The library stays open: it may have left handlers behind.
  }
  static Library* current;  // one at a time
};

LineEditor::Library* LineEditor::Library::current = nullptr;

LineEditor::LineEditor() {
  auto library = std::make_unique<Library>();
  Library::current = library.get();
  if (library->open()) library_ = std::move(library);
}

bool LineEditor::read(const char* prompt, std::string& line) {
  if (library_ == nullptr) return read_plainly(prompt, line);
  Library& l = *library_;
  l.prompt = prompt;
  std::fputs(kAskForMarks, stdout);
  std::fflush(stdout);
  int n = 0;
  const char* got = l.el_gets_(l.edit, &n);
  std::fputs(kNoMarks, stdout);
  std::fflush(stdout);
  if (got == nullptr || n <= 0) return false;
  line.assign(got, static_cast<size_t>(n));
  if (line.ends_with('\n')) line.pop_back();
  HistEvent event;
  if (!line.empty()) l.history_(l.history, &event, H_ENTER, line.c_str());
  for (size_t at = 0; (at = line.find(kLineMarkText, at)) != std::string::npos; ++at)
    line.replace(at, kLineMarkText.size(), "\n");
  return true;
}

#else

struct LineEditor::Library {};

LineEditor::LineEditor() = default;

bool LineEditor::read(const char* prompt, std::string& line) {
  return read_plainly(prompt, line);
}

#endif

LineEditor::~LineEditor() = default;

}  // namespace cli
