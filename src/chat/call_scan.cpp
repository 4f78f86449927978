// See call_scan.h.
#include "chat/call_scan.h"

#include <nlohmann/json.hpp>

namespace quern {

void CallScan::go(std::string_view text) {
  for (; at < text.size() && !wrong && !done; ++at) {
    byte(text, text[at]);
    if (known == 0 && !wrong && name && (arguments_begin > 0 || done)) known = at + 1;
  }
}

void CallScan::byte(std::string_view text, char c) {
  if (in_string_) return in_text(text, c);
  if (c == '"') {
    begin_value();
    in_string_ = true;
    string_begin_ = at;
    if (depth_ == 0) wrong = true;
  } else if (c == '{' || c == '[') {
    if (depth_ == 0 && c != '{') wrong = true;
    if (depth_ == 1 && part_ != Part::value) wrong = true;
    begin_value();
    ++depth_;
  } else if (c == '}' || c == ']') {
    close(text, c);
  } else if (depth_ == 1) {
    at_top(text, c);
  } else if (depth_ == 0) {
    wrong = true;
  }
}

void CallScan::in_text(std::string_view text, char c) {
  if (escaped_) {
    escaped_ = false;
  } else if (c == '\\') {
    escaped_ = true;
  } else if (c == '"') {
    in_string_ = false;
    if (depth_ != 1) return;
    if (part_ == Part::key) {
      key_ = unquoted(text.substr(string_begin_, at + 1 - string_begin_)).value_or("");
      if (strict_ && key_ != "name" && key_ != "type" && key_ != "id" && !is_arguments()) wrong = true;
      part_ = Part::colon;
    } else if (part_ == Part::value) {
      end_value(text, at + 1);
    } else {
      wrong = true;
    }
  }
}

void CallScan::close(std::string_view text, char c) {
  if (depth_ == 1) {
    if (c != '}') wrong = true;
    if (part_ == Part::value && in_value_) end_value(text, at);
    done = !wrong;
    return;
  }
  if (--depth_ == 1) end_value(text, at + 1);
}

void CallScan::at_top(std::string_view text, char c) {
  if (json_spaces.find(c) != std::string_view::npos) {
    if (part_ == Part::value && in_value_) end_value(text, at);
  } else if (c == ':' && part_ == Part::colon) {
    part_ = Part::value;
    in_value_ = false;
  } else if (c == ',' && (part_ == Part::comma || (part_ == Part::value && in_value_))) {
    if (part_ == Part::value) end_value(text, at);
    part_ = Part::key;
  } else if (part_ == Part::value) {
    begin_value();
  } else {
    wrong = true;
  }
}

void CallScan::begin_value() {
  if (depth_ != 1 || part_ != Part::value || in_value_) return;
  in_value_ = true;
  value_begin_ = at;
  if (is_arguments() && arguments_begin == 0) arguments_begin = at;
}

void CallScan::end_value(std::string_view text, size_t end) {
  if (key_ == "name" && !name) name = unquoted(text.substr(value_begin_, end - value_begin_));
  if (is_arguments() && arguments_end == 0) arguments_end = end;
  in_value_ = false;
  part_ = Part::comma;
}

std::optional<std::string> CallScan::unquoted(std::string_view text) {
  const nlohmann::ordered_json json = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!json.is_string()) return std::nullopt;
  return json.get<std::string>();
}

}  // namespace quern
