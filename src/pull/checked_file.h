// A file of the Hub on its way into an open file, with the digest of what came: whole and right, or an error.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "hub/repo_tree.h"
#include "net/digest.h"
#include "pull/hub_client.h"

namespace quern {

class CheckedFile : public FileSink {
 public:
  // descriptor: of a file open for reading and writing; it stays the caller's. name: of it, and room: what to do when
  // the disk is full, for messages. file: what is expected.
  CheckedFile(int descriptor, std::string name, std::string room, const TreeFile& file);
  CheckedFile(const CheckedFile&) = delete;
  CheckedFile& operator=(const CheckedFile&) = delete;

  // Takes over what an earlier try has left. go_on(bytes read): false ends it.
  bool resume(const std::function<bool(uint64_t)>& go_on);
  bool resumed() const { return resumed_; }

  uint64_t position() const override { return position_; }
  void restart() override;
  void write(const char* data, size_t size) override;
  void write_out();      // what is gathered
  std::string digest();  // of all that came
  void sync();

 protected:
  [[noreturn]] void fail(const char* action, int error) const;

 private:
  virtual void on_full() noexcept {}  // the disk: what is there may go
  void begin_digest();

  const int descriptor_;
  const std::string name_, room_;
  const TreeFile& file_;
  uint64_t position_ = 0, flushed_ = 0;
  std::string gathered_;  // the last of what came
  bool resumed_ = false;
  std::unique_ptr<Digest> digest_;
};

// The rest of the file, checked by its hash; of what an earlier try has left and is wrong, all of it. Throws Error:
// bad_file (says both hashes), and what HubClient throws.
void download_checked(HubClient& hub, const std::string& commit, const std::string& path, const TreeFile& file,
                      CheckedFile& to);

}  // namespace quern
