#include "model_names.h"

#include <CLI/CLI.hpp>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "interrupts.h"

namespace cli {
namespace {

struct Choice {
  std::string type;
  bool offline = false;
};

Choice& choice() {
  static Choice made;
  return made;
}

bool no_bars() {
  const char* value = std::getenv("HF_HUB_DISABLE_PROGRESS_BARS");
  std::string text = value ? value : "";
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text == "1" || text == "ON" || text == "YES" || text == "TRUE";
}

std::string resolve(const std::string& name, const char* type, const char* before, bool interruptible) {
  HubLines lines(name, before, interruptible);
  quern_hub_options o = hub_options(lines);
  if (type) o.type = type;
  return lines.model(name, o);
}

}  // namespace

std::string megabytes(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, bytes < 1e7 ? "%.1f MB" : "%.0f MB", bytes / 1e6);
  return text;
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> all;
  for (const std::string& text : texts) all.push_back(text.c_str());
  return all;
}

void add_choice_options(CLI::App& command) {
  std::vector<std::string> types = names_of(quern_written_type);
  types.push_back("source");
  command.add_option("--type", choice().type, "what a model by name is converted to; source: not at all (default: q8)")
      ->type_name("TYPE")
      ->check(CLI::IsMember(types));
  command.add_flag("--offline", choice().offline,
                   "the Hub is not asked: models by name come from the caches alone (as HF_HUB_OFFLINE)");
}

std::string path_of(const std::string& name, const char* type) {
  const Interrupts interrupts;
  return resolve(name, type, "", true);
}

std::string path_of_in_server(const std::string& name) {
  try {
    return resolve(name, nullptr, "note: ", false);
  } catch (const Failure& e) {
    throw std::runtime_error(e.message);
  }
}

HubLines::HubLines(std::string name, std::string before, bool interruptible, bool quiet)
    : name_(std::move(name)),
      before_(std::move(before)),
      interruptible_(interruptible),
      quiet_(quiet || no_bars()),
      bar_(!quiet_ && before_.empty()) {}

void HubLines::finish(quern_status status) {
  bar_.clear();
  if (interruptible_ && status == QUERN_CANCELLED) Interrupts::check();
  check(status);
}

std::string HubLines::model(const std::string& name, const quern_hub_options& options) {
  char* path = nullptr;
  const quern_status status = quern_hub_model(name.c_str(), &options, &path);
  const StringHandle owner(path);
  finish(status);
  return path;
}

std::string HubLines::text(quern_hub_phase phase, const std::string& what, double done, double total) {
  char numbers[64] = "";
  switch (phase) {
    case QUERN_HUB_ASKING:
      return "asking the Hub for " + what;
    case QUERN_HUB_WAITING:
      if (total > 0) std::snprintf(numbers, sizeof numbers, ": trying again in %.0f s", total - done);
      return "waiting, " + what + numbers;
    case QUERN_HUB_CHECKING:
      return "checking " + what + ", " + megabytes(done) + " of " + megabytes(total);
    case QUERN_HUB_DOWNLOADING:
    case QUERN_HUB_UPLOADING: {
      const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
      const double rate = seconds > 0.2 ? (done - first_done_) / seconds : 0;
      if (rate > 0)
        std::snprintf(numbers, sizeof numbers, ", %.1f MB/s, %.0f s left", rate / 1e6, (total - done) / rate);
      return (phase == QUERN_HUB_UPLOADING ? "uploading " + what + ", " : "downloading, ") + megabytes(done) + " of " +
             megabytes(total) + numbers;
    }
    case QUERN_HUB_CONVERTING:
      if (total > 0) std::snprintf(numbers, sizeof numbers, ", %.0f %%", 100 * done / total);
      return std::string("converting") + numbers;
  }
  return what;
}

int HubLines::on_progress(void* user, quern_hub_phase phase, const char* what, double done, double total) {
  auto& self = *static_cast<HubLines*>(user);
  if (self.interruptible_ && Interrupts::pressed()) return 1;
  if (self.quiet_) return 0;
  const auto now = Clock::now();
  const bool bytes = phase == QUERN_HUB_DOWNLOADING || phase == QUERN_HUB_UPLOADING;
  if (bytes && self.first_done_ < 0) self.first_done_ = done, self.began_ = now;
  const bool due = self.bar_.on() ? self.bar_.due()
                                  : self.last_ == Clock::time_point{} || now - self.last_ >= std::chrono::seconds(10);
  if (!due) return 0;
  self.last_ = now;
  const std::string text = self.text(phase, what, done, total);
  if (self.bar_.on()) {
    self.bar_.show(total > 0 ? done / total : -1, self.name_ + ": " + text);
    return 0;
  }
  std::fprintf(stderr, "quern: %s%s: %s\n", self.before_.c_str(), self.name_.c_str(), text.c_str());
  return 0;
}

quern_hub_options hub_options(HubLines& lines) {
  quern_hub_options o = quern_hub_options_default();
  if (!choice().type.empty()) o.type = choice().type.c_str();
  o.offline = choice().offline;
  o.progress = &HubLines::on_progress;
  o.user = &lines;
  return o;
}

}  // namespace cli
