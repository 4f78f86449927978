#include "line_source.h"

#include "common.h"

namespace cli {

std::string too_long(size_t limit) {
  return "expected at most " + std::to_string(limit >> 20) + " MiB";
}

bool LineSource::next(std::string& line) {
  line.clear();
  bool any = false;
  for (;;) {
    if (rest_.empty()) rest_ = source_.next();
    if (rest_.empty()) break;
    any = true;
    const size_t end = rest_.find('\n');
    line.append(rest_.substr(0, end));
    if (line.size() > limit_)
      throw Failure{1, source_.name() + ": line " + std::to_string(count_ + 1) + ": " + too_long(limit_)};
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (end != std::string_view::npos) break;
  }
  if (!any) return false;
  ++count_;
  if (line.ends_with('\r')) line.pop_back();
  return true;
}

}  // namespace cli
