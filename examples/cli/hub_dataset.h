// Files of a dataset on the Hub as inputs: listed once, downloaded one after another while the one before is worked on,
// and gone once they are read.
#pragma once
#include <atomic>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "common.h"
#include "model_names.h"

namespace cli {

// A file without a name: it goes with whoever holds this, and with the process, however that ends.
class PassingFile {
 public:
  // bytes: that it will have. Throws Failure where no place has room for it; name: for the message.
  PassingFile(const std::string& name, double bytes);
  ~PassingFile();
  PassingFile(const PassingFile&) = delete;
  PassingFile& operator=(const PassingFile&) = delete;
  int descriptor() const { return descriptor_; }
  const std::string& path() const { return path_; }  // that opens it

 private:
  int descriptor_ = -1;
  std::string path_;
};

class HubDataset {
 public:
  struct File {
    std::string path, hash;
    double bytes = 0;
    size_t index = 0;  // in the library's list
  };

  // Asks the Hub what is there. Throws Failure.
  explicit HubDataset(const std::string& address);
  ~HubDataset();  // within a second, whatever is being downloaded
  HubDataset(const HubDataset&) = delete;
  HubDataset& operator=(const HubDataset&) = delete;

  const std::string& name() const { return name_; }  // hf://datasets/org/name
  const std::string& commit() const { return commit_; }
  const std::vector<File>& files() const { return files_; }
  std::string file_name(size_t i) const { return name_ + '/' + files_[i].path; }

  // Begins to download a file, unless another one is on its way.
  void fetch_ahead(size_t i);
  // The file, waited for. Throws Failure, also once an Interrupts has been told to stop.
  std::shared_ptr<const PassingFile> take(size_t i);

 private:
  using Fetched = std::shared_ptr<const PassingFile>;
  static int on_progress(void* user, quern_hub_phase phase, const char* what, double done, double total);
  void take_list();
  Fetched fetch(size_t i, bool quiet);

  std::string name_, commit_;
  std::vector<File> files_;
  std::atomic<bool> stopped_{false};
  std::unique_ptr<HubLines> lines_;  // of what is asked for now
  Owner<quern_hub_files, quern_hub_files_free> hub_;
  size_t ahead_of_ = 0;
  std::future<Fetched> ahead_;  // one at a time: the library's own has one connection
};

}  // namespace cli
