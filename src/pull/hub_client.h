// The Hub's HTTP interface, as far as downloads go: what a revision's commit is, which files it has, a file's bytes.
// Redirects, tries, waits that the Hub asks for, and what its refusals mean are all here; the cache is not.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "hub/environment.h"
#include "hub/repo_name.h"
#include "hub/repo_tree.h"
#include "net/http.h"

namespace quern {

// What a download says of itself while it runs; false cancels it.
struct PullProgress {
  enum class Phase { asking, waiting, checking, downloading, converting, uploading } phase;
  std::string what;
  double done = 0, total = 0;  // bytes; of waiting, seconds
};
using PullReport = std::function<bool(const PullProgress&)>;

// Where a file's bytes go. A try that fails is followed by one that begins at position().
class FileSink {
 public:
  virtual ~FileSink() = default;
  virtual uint64_t position() const = 0;  // bytes that are there
  virtual void restart() = 0;             // what is there is of no use: from 0 on
  virtual void write(const char* data, size_t size) = 0;
};

// What is sent to the Hub to be kept.
struct HubCall {
  std::string url, what;  // what: for messages
  std::string type = "application/json", accept = "application/json";
  std::string body;
  int also = 0;       // a status above 300 that is an answer, too
  bool once = false;  // not sent again where it is not known whether it arrived
};

class HubClient {
 public:
  // report: may be empty. Throws Error: unsupported (no network in this build or on this machine), bad_argument (what
  // the environment says of endpoint and token).
  HubClient(const HubSettings& settings, RepoName name, PullReport report);

  // All throw Error: not_found, unsupported (no access), io (network), bad_file (answers that make no sense),
  // cancelled.
  std::string commit();  // that the name's revision is at now
  // All files, or those of a folder, with what is in the folders in it where it is deep. Sizes and hashes may be
  // unknown, of mirrors, whose lists may have others too.
  RepoTree tree(const std::string& commit, const std::string& folder = "", bool deep = true);
  TreeFile ask(const std::string& commit, const std::string& path);  // of one file, by its own headers
  // size: of the whole file, which bounds what is read.
  void download(const std::string& commit, const std::string& path, uint64_t size, FileSink& sink);

  // What is said in return; null where that is no JSON.
  nlohmann::json post(const HubCall& call, int* status = nullptr);
  // To an address that the Hub has given, without the token. headers: "Name: value". Returns the answer's ETag.
  std::string put(const std::string& url, const std::vector<std::string>& headers, const HttpBody& body,
                  const std::string& what);
  std::string address(const std::string& path) const { return settings_.endpoint + path; }
  bool has_token() const { return !settings_.token.empty(); }

  const RepoName& name() const { return name_; }

  // False: cancelled.
  bool say(const PullProgress& progress) const { return !report_ || report_(progress); }
  [[noreturn]] static void throw_cancelled();

 private:
  struct Reply {
    HttpOutcome outcome;
    std::string url;  // that answered in the end; of HEAD the Hub's own
  };
  // What is asked for in one go or several: each try's request is made anew.
  struct Task {
    std::string what;  // for messages
    std::function<HttpRequest()> make;
    std::function<uint64_t()> position = {};  // of a download: bytes that are there
    uint64_t size = 0;                        // and that there have to be
    const HubCall* call = nullptr;            // what is to be kept, where it is none that reads
    bool bare = false;                        // the token is for none of it
  };
  Reply follow(HttpRequest request, bool bare);
  Reply send(const Task& task);  // an answer below 400, or 416
  HttpRequest file_request(const std::string& commit, const std::string& path) const;
  std::string api(const std::string& what) const;  // the address of what is asked of the repository
  // links: takes the answer's Link header.
  nlohmann::json get_json(const std::string& url, const std::string& what, std::string* links = nullptr);
  // Of an answer that begins at `from`. Throws Error bad_file where it announces another size.
  void check_part(const HttpAnswer& answer, const std::string& path, uint64_t from, uint64_t size,
                  FileSink& sink) const;
  bool add_page(const nlohmann::json& page, RepoTree& tree) const;
  RepoTree tree_of_siblings(const std::string& commit);
  void wait(double seconds, const std::string& why);
  void heed_limit(const HttpAnswer& answer);

  HubSettings settings_;
  RepoName name_;
  PullReport report_;
  std::string origin_;
  std::unique_ptr<Http> http_;
  double not_before_ = 0;  // monotonic seconds: the Hub has asked to be left alone until then
};

}  // namespace quern
