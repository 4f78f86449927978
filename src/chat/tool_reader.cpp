// See tool_reader.h.
#include "chat/tool_reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "chat/gemma_values.h"

namespace quern {
namespace {

using Json = nlohmann::ordered_json;

std::string_view trimmed_marker(std::string_view s) {
  const size_t first = s.find_first_not_of(json_spaces);
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(json_spaces) + 1 - first);
}

enum class Unmarked { yes, no, unknown };

// Whether a text begins with JSON, behind white space and perhaps ```json; at `begin`.
Unmarked unmarked_call(std::string_view text, size_t& begin) {
  begin = text.find_first_not_of(json_spaces);
  if (begin == std::string_view::npos) return Unmarked::unknown;
  constexpr std::string_view fence = "```";
  if (fence.starts_with(text.substr(begin))) return Unmarked::unknown;
  if (text.substr(begin).starts_with(fence)) {
    begin += fence.size();
    while (begin < text.size() && text[begin] >= 'a' && text[begin] <= 'z') ++begin;
    begin = text.find_first_not_of(json_spaces, begin);
    if (begin == std::string_view::npos) return Unmarked::unknown;
  }
  return text[begin] == '{' || text[begin] == '[' ? Unmarked::yes : Unmarked::no;
}

}  // namespace

ToolReader::ToolReader(std::shared_ptr<const ToolSet> tools) : tools_(std::move(tools)) {
  const ToolFormat& f = *tools_->format;
  for (const char* marker : {f.begin, f.also})
    if (marker && !trimmed_marker(marker).empty()) begins_.emplace_back(trimmed_marker(marker));
  end_ = trimmed_marker(f.end);
}

void ToolReader::push(std::string_view text, std::vector<ToolPiece>& out) {
  buffer_ += text;
  using Read = Step (ToolReader::*)(std::vector<ToolPiece>&);
  constexpr Read reads[] = {&ToolReader::read_text, &ToolReader::read_between,   &ToolReader::read_object,
                            &ToolReader::read_name, &ToolReader::read_arguments, &ToolReader::read_braces};
  while ((this->*reads[static_cast<size_t>(mode_)])(out) == Step::more) {
  }
}

void ToolReader::finish(std::vector<ToolPiece>& out) {
  if (in_call_) return;  // broken off inside a call: as much of it as came
  if (mode_ != Mode::text) {
    const std::string_view left = trimmed_marker(std::string_view(buffer_));
    const bool whole =
        n_calls_ > 0 && mode_ == Mode::calls && left.find_first_not_of(" \t\r\n]`") == std::string_view::npos;
    if (!whole) say(buffer_, out);
  } else {
    say(buffer_, out);
    if (!held_spaces_.empty() && n_calls_ == 0) out.push_back({ToolPiece::Kind::text, 0, held_spaces_});
  }
  buffer_.clear();
  held_spaces_.clear();
  at_ = 0;
  mode_ = Mode::text;
}

// Text that is nobody's call; white space at its end waits for what follows.
void ToolReader::say(std::string_view text, std::vector<ToolPiece>& out) {
  if (text.empty() || (n_calls_ > 0 && !tools_->parallel)) return;
  std::string all = held_spaces_ + std::string(text);
  const size_t end = all.find_last_not_of(json_spaces) + 1;
  held_spaces_ = all.substr(end);
  all.resize(end);
  if (all.empty()) return;
  if (fresh_ && n_calls_ > 0) all.erase(0, all.find_first_not_of(json_spaces));
  fresh_ = false;
  out.push_back({ToolPiece::Kind::text, 0, std::move(all)});
}

// What was read so far is done with.
void ToolReader::consume(size_t n) {
  buffer_.erase(0, at_ + n);
  at_ = 0;
}

// Where the first marker begins, or what could be the beginning of one; the text's size if there is none.
size_t ToolReader::marker_at(std::string_view text, std::string_view& which, bool& part) const {
  size_t first = text.size();
  part = false;
  for (const std::string& marker : begins_) {
    for (size_t i = text.find(marker[0]); i < first; i = text.find(marker[0], i + 1)) {
      const std::string_view here = text.substr(i, marker.size());
      if (!std::string_view(marker).starts_with(here)) continue;
      first = i;
      part = here.size() < marker.size();
      which = marker;
    }
  }
  return first;
}

ToolReader::Step ToolReader::read_text(std::vector<ToolPiece>& out) {
  if (buffer_.empty()) return Step::waits;
  const CallShape shape = tools_->format->shape;
  const bool named = shape == CallShape::named || shape == CallShape::braced;
  // Models leave out the markers now and then: JSON at the beginning may be a call too, in a fence or not.
  unmarked_ = false;
  if (fresh_ && n_calls_ == 0 && !named) {
    size_t begin = 0;
    const Unmarked found = unmarked_call(buffer_, begin);
    if (found == Unmarked::unknown) return Step::waits;
    const std::string_view here = found == Unmarked::yes ? std::string_view(buffer_).substr(begin) : "";
    const bool marked = std::any_of(begins_.begin(), begins_.end(), [&](const std::string& marker) {
      return here.starts_with(marker) || std::string_view(marker).starts_with(here);
    });
    if (found == Unmarked::yes && !marked) {
      at_ = begin;
      unmarked_ = true;
      mode_ = Mode::calls;
      return Step::more;
    }
  }
  std::string_view which;
  bool part = false;
  const size_t at = marker_at(buffer_, which, part);
  const std::string before = buffer_.substr(0, at);
  if (at == buffer_.size()) {
    say(before, out);
    buffer_.clear();
    return Step::waits;
  }
  say(before, out);
  buffer_.erase(0, at);
  if (part) return Step::waits;
  at_ = which.size();
  mode_ = named ? Mode::name : Mode::calls;
  return Step::more;
}

// Between calls: white space, brackets, commas, and the markers.
ToolReader::Step ToolReader::read_between(std::vector<ToolPiece>& out) {
  const std::string_view text = rest();
  const size_t solid = text.find_first_not_of(unmarked_ && n_calls_ > 0 ? " \t\r\n,;]`" : " \t\r\n,;]");
  if (solid == std::string_view::npos) return Step::waits;
  const std::string_view here = text.substr(solid);
  const CallShape shape = tools_->format->shape;
  const bool named = shape == CallShape::named || shape == CallShape::braced;
  if (!named && (here[0] == '{' || here[0] == '[')) {
    at_ += solid + (here[0] == '[' ? 1 : 0);
    if (here[0] == '{') {
      scan_ = std::make_unique<CallScan>(unmarked_);
      mode_ = Mode::object;
    }
    return Step::more;
  }
  if (!end_.empty() && here.starts_with(end_)) {
    consume(solid + end_.size());
    mode_ = Mode::text;
    fresh_ = true;
    return Step::more;
  }
  for (const std::string& marker : begins_) {
    if (here.starts_with(marker)) {
      at_ += solid + marker.size();
      if (named) mode_ = Mode::name;
      return Step::more;
    }
    if (std::string_view(marker).starts_with(here)) return Step::waits;
  }
  if (!end_.empty() && std::string_view(end_).starts_with(here)) return Step::waits;
  if (n_calls_ > 0 && at_ == 0) {
    consume(solid);
    mode_ = Mode::text;
    fresh_ = true;
    return read_text(out);
  }
  return fall_back(out);
}

// No call: all of it is text, up to where something could begin anew.
ToolReader::Step ToolReader::fall_back(std::vector<ToolPiece>& out) {
  const size_t n = std::max<size_t>(1, at_);
  say(buffer_.substr(0, n), out);
  buffer_.erase(0, n);
  at_ = 0;
  fresh_ = false;
  mode_ = Mode::text;
  scan_.reset();
  return Step::more;
}

bool ToolReader::begin_call(const std::string& name, std::vector<ToolPiece>& out) {
  if (!tools_->find(name)) return false;
  in_call_ = true;
  held_spaces_.clear();
  if (tells_calls()) out.push_back({ToolPiece::Kind::call, n_calls_, name});
  return true;
}
void ToolReader::end_call(std::vector<ToolPiece>& out) {
  if (tells_calls()) out.push_back({ToolPiece::Kind::end, n_calls_, {}});
  ++n_calls_;
  in_call_ = false;
  fresh_ = true;
}

ToolReader::Step ToolReader::read_object(std::vector<ToolPiece>& out) {
  CallScan& s = *scan_;
  const std::string_view text = rest();
  s.go(text);
  const auto arguments = [&](std::string_view more) {
    if (!more.empty() && tells_calls()) out.push_back({ToolPiece::Kind::arguments, n_calls_, std::string(more)});
  };
  if (!in_call_ && ((s.known > 0 && !begin_call(*s.name, out)) || (s.known == 0 && (s.wrong || s.done)))) {
    at_ += s.known > 0 ? s.known : s.at;
    return fall_back(out);
  }
  if (in_call_ && s.arguments_begin > 0) {
    const size_t end = s.arguments_end > 0 ? s.arguments_end : s.at;
    const char first = text[s.arguments_begin];
    if (first == '{') {
      const size_t from = std::max(s.told, s.arguments_begin);
      arguments(text.substr(from, end - from));
      s.told = end;
    } else if (s.arguments_end > 0 && s.told == 0) {  // JSON as text, or nothing
      const std::string_view raw = text.substr(s.arguments_begin, end - s.arguments_begin);
      arguments(CallScan::unquoted(raw).value_or(raw == "null" ? "{}" : std::string(raw)));
      s.told = end;
    }
  }
  if (!s.done && !s.wrong) return Step::waits;
  if (s.told == 0) arguments("{}");
  end_call(out);
  consume(s.at);
  scan_.reset();
  mode_ = Mode::calls;
  return Step::more;
}

// NAME, up to the arguments.
ToolReader::Step ToolReader::read_name(std::vector<ToolPiece>& out) {
  const ToolFormat& f = *tools_->format;
  const std::string_view text = rest();
  const std::string_view stop = f.shape == CallShape::named ? std::string_view(f.middle) : "{";
  // What is too long for a name, or has a line end, is none, whatever has come behind it.
  const std::string_view most = text.substr(0, max_tool_name + stop.size() + 2);
  const size_t end = most.find(stop), line = most.find('\n');
  if (line < end || (end == std::string_view::npos && text.size() > most.size())) return fall_back(out);
  if (end == std::string_view::npos) return Step::waits;
  const std::string name(trimmed_marker(text.substr(0, end)));
  if (!begin_call(name, out)) {
    at_ += end;
    return fall_back(out);
  }
  consume(f.shape == CallShape::named ? end + stop.size() : end);
  mode_ = f.shape == CallShape::named ? Mode::arguments : Mode::braces;
  if (mode_ == Mode::arguments) scan_ = std::make_unique<CallScan>();
  return Step::more;
}

// A JSON object that is the arguments.
ToolReader::Step ToolReader::read_arguments(std::vector<ToolPiece>& out) {
  const size_t solid = buffer_.find_first_not_of(json_spaces);
  if (solid == std::string::npos) return Step::waits;
  if (scan_->at == 0) buffer_.erase(0, solid);
  CallScan& s = *scan_;
  s.go(buffer_);
  const size_t end = s.done || s.wrong ? s.at : buffer_.size();
  if (end > s.told && tells_calls())
    out.push_back({ToolPiece::Kind::arguments, n_calls_, buffer_.substr(s.told, end - s.told)});
  s.told = end;
  if (!s.done && !s.wrong) return Step::waits;
  end_call(out);
  consume(end);
  scan_.reset();
  mode_ = Mode::text;
  return Step::more;
}

ToolReader::Step ToolReader::read_braces(std::vector<ToolPiece>& out) {
  // Up to the first end marker: where the object is not whole by then, what came is all.
  Json arguments;
  const size_t stop = buffer_.find(end_);
  const size_t most = stop == std::string::npos ? stop : stop + end_.size();
  const size_t n = read_gemma_object(std::string_view(buffer_).substr(0, most), arguments);
  if (n == 0 && stop == std::string::npos) return Step::waits;
  if (n == 0) arguments = Json::object();
  if (tells_calls())
    out.push_back(
        {ToolPiece::Kind::arguments, n_calls_, arguments.dump(-1, ' ', false, Json::error_handler_t::replace)});
  end_call(out);
  consume(n > 0 ? n : stop);
  mode_ = Mode::calls;
  return Step::more;
}

}  // namespace quern
