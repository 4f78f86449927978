#include "hub_dataset.h"

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "content.h"
#include "inputs.h"
#include "os/files.h"
#include "os/process.h"

namespace cli {
namespace {

void require_room(const std::string& folder, const std::string& name, double bytes) {
  double room = 0;
  if (!os::free_space(folder, room)) return;  // making the file says what is wrong
  if (bytes > room)
    throw Failure{1, name + ": needs " + megabytes(bytes) + ", and " + folder + " has room for " + megabytes(room) +
                         "; make room, or set " + os::kTemporaryVariable + " to a folder on another disk"};
}

}  // namespace

PassingFile::PassingFile(const std::string& name, double bytes) {
  const std::string folder = os::temporary_folder();
  require_room(folder, name, bytes);
  descriptor_ = os::open_passing(folder, path_);
  if (descriptor_ < 0)
    throw Failure{1, folder + ": no file for " + name + " can be made there: " + std::strerror(errno) + "; set " +
                         os::kTemporaryVariable + " to a folder that you may write to"};
}

PassingFile::~PassingFile() {
  os::close_passing(descriptor_, path_);
}

HubDataset::HubDataset(const std::string& address) : name_(address) {
  lines_ = std::make_unique<HubLines>(address, "", true);
  quern_hub_options options = hub_options(*lines_);
  options.progress = &HubDataset::on_progress;
  options.user = this;
  quern_hub_files* files = nullptr;
  const quern_status status = quern_hub_files_open(address.c_str(), &options, &files);
  hub_.reset(files);
  if (status == QUERN_BAD_ARGUMENT) check(status, 2);
  lines_->finish(status);
  take_list();
}

HubDataset::~HubDataset() {
  stopped_ = true;
  if (ahead_.valid()) ahead_.wait();
}

int HubDataset::on_progress(void* user, quern_hub_phase phase, const char* what, double done, double total) {
  auto& self = *static_cast<HubDataset*>(user);
  return self.stopped_ ? 1 : HubLines::on_progress(self.lines_.get(), phase, what, done, total);
}

// Of a folder, the files that a folder of this machine would stand for.
void HubDataset::take_list() {
  char* text = nullptr;
  check(quern_hub_files_list(hub_.get(), &text));
  const StringHandle owner(text);
  const nlohmann::json list = nlohmann::json::parse(text);
  const std::string address = std::exchange(name_, "hf://" + list.at("repo").get<std::string>());
  commit_ = list.at("commit");
  const bool folder = list.at("folder");
  size_t index = 0;
  for (const nlohmann::json& file : list.at("files")) {
    const std::string path = file.at("path"), own = path.substr(path.rfind('/') + 1);
    if (!folder || (!own.starts_with('.') && is_text_name(own)))
      files_.push_back({path, file.at("hash"), file.at("bytes"), index});
    ++index;
  }
  if (files_.empty()) throw Failure{1, address + no_texts()};
}

// The file is made here, so that one that cannot be made is known before anything is asked for.
HubDataset::Fetched HubDataset::fetch(size_t i, bool quiet) {
  const File& file = files_.at(i);
  const auto to = std::make_shared<PassingFile>(file_name(i), file.bytes);
  lines_ = std::make_unique<HubLines>(file_name(i), "", true, quiet);
  lines_->finish(quern_hub_files_fetch(hub_.get(), file.index, to->descriptor()));
  return to;
}

void HubDataset::fetch_ahead(size_t i) {
  if (ahead_.valid()) return;
  try {
    ahead_of_ = i;
    ahead_ = std::async(std::launch::async, [this, i] { return fetch(i, true); });
  } catch (const std::system_error&) {  // no thread can be made: take() does it
  }
}

std::shared_ptr<const PassingFile> HubDataset::take(size_t i) {
  if (!ahead_.valid()) return fetch(i, false);
  Fetched fetched = ahead_.get();
  return ahead_of_ == i ? fetched : fetch(i, true);
}

}  // namespace cli
