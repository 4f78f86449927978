// A file on its way to the Hub: what is in it, its hashes, and how its bytes go.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "pull/hub_client.h"

namespace quern {

class PushedFile {
 public:
  static PushedFile on_disk(const std::string& path, const std::string& where);  // throws Error io
  static PushedFile of_text(const std::string& path, const std::string& text);

  uint64_t size() const { return size_; }
  std::string text() const;                               // all of it
  std::string head(size_t bytes) const;                   // up to so many
  size_t read(uint64_t at, char* to, size_t most) const;  // throws Error io where the file has become shorter
  const std::string& sha256() const { return sha256_; }   // behind has_changed() of a large one

  // Whether the Hub has other bytes of this path, or none. Reads all of it.
  bool has_changed(const HubClient& hub);

  std::string path;      // in the repository
  bool large = false;    // goes through Git LFS
  bool ignored = false;  // by the repository's .gitignore
  std::string there;     // the hash of what the Hub has; ""

 private:
  std::string where_, text_;  // where it lies; or what it is
  uint64_t size_ = 0;
  std::string sha256_;
};

std::string base64(std::string_view bytes);

// To where Git LFS's answer says, in parts where it says so. upload: its "href" and "header".
void send_file(HubClient& hub, const PushedFile& file, const nlohmann::json& upload);

}  // namespace quern
