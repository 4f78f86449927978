// What quern asks the Hub: a revision's commit, a commit's files, a file.
#include <nlohmann/json.hpp>

#include "error.h"
#include "io/json.h"
#include "io/safe_path.h"
#include "net/url.h"
#include "pull/hub_client.h"

namespace quern {
namespace {

constexpr int max_pages = 1000;

// Thrown out of a request whose answer is another part of the file than was asked for.
struct WrongPart {};

// The address of rel="next" in a Link header; "" when there is none.
std::string next_link(const std::string& header) {
  for (size_t at = 0; (at = header.find('<', at)) != std::string::npos;) {
    const size_t end = header.find('>', at);
    if (end == std::string::npos) return {};
    const std::string rest = header.substr(end, header.find('<', end) - end);
    if (rest.find("rel=\"next\"") != std::string::npos || rest.find("rel=next") != std::string::npos)
      return header.substr(at + 1, end - at - 1);
    at = end;
  }
  return {};
}

std::string etag_of(std::string header) {
  if (header.starts_with("W/")) header.erase(0, 2);
  std::erase(header, '"');
  return header;
}

uint64_t number_in(const std::string& text) {
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos)
    return TreeFile::unknown_size;
  return std::stoull(text);
}

}  // namespace

std::string HubClient::api(const std::string& what) const {
  return settings_.endpoint + (name_.dataset ? "/api/datasets/" : "/api/models/") + name_.repo + '/' + what;
}

std::string HubClient::commit() {
  const std::string url = api("revision/" + encode_path(name_.revision, true));
  const nlohmann::json info = get_json(url, "the revision " + name_.revision);
  const std::string sha = info.is_object() ? text_at(info, "sha") : std::string();
  if (!is_commit(sha))
    throw Error(Status::bad_file, name_.text() + ": expected a commit (\"sha\") of 40 hex digits from " + url +
                                      ", found \"" + printable(sha) + '"');
  return sha;
}

// False: this is no page of a tree.
bool HubClient::add_page(const nlohmann::json& page, RepoTree& tree) const {
  if (!page.is_array()) return false;
  for (const nlohmann::json& item : page) {
    if (!item.is_object()) return false;
    const std::string type = text_at(item, "type"), path = text_at(item, "path");
    if (type != "file") continue;
    if (!is_safe_relative_path(path))
      throw Error(Status::bad_file, name_.text() + ": the repository names a file '" + printable(path) +
                                        "', which does not stay inside a folder; nothing of it is downloaded");
    TreeFile file{size_at(item, "size"), text_at(item, "oid"), "", text_at(item, "xetHash")};
    if (const auto lfs = item.find("lfs"); lfs != item.end() && lfs->is_object()) {
      file.sha256 = text_at(*lfs, "oid");
      if (size_at(*lfs, "size") != TreeFile::unknown_size) file.size = size_at(*lfs, "size");
      if (!is_digest(file.sha256, 64)) file.sha256.clear(), file.blob_id.clear();
    }
    if (file.sha256.empty() && !is_digest(file.blob_id, 40)) file.blob_id.clear();
    if (!is_digest(file.xet_hash, 64)) file.xet_hash.clear();
    tree[path] = file;
    if (tree.size() > max_tree_files)
      throw Error(Status::unsupported,
                  name_.text() + ": the repository has more than " + std::to_string(max_tree_files) + " files");
  }
  return true;
}

RepoTree HubClient::tree(const std::string& commit, const std::string& folder, bool deep) {
  RepoTree tree;
  std::string url = api("tree/" + commit + (folder.empty() ? "" : '/' + encode_path(folder)) +
                        (deep ? "?recursive=true&expand=false" : "?recursive=false&expand=false"));
  for (int page = 0; !url.empty(); ++page) {
    std::string links;
    nlohmann::json json;
    try {
      json = get_json(url, "the list of its files", &links);
    } catch (const Error& e) {
      if (page > 0 || e.status != Status::not_found) throw;
      return tree_of_siblings(commit);  // mirrors have no such list
    }
    if (page >= max_pages || !add_page(json, tree))
      throw Error(Status::bad_file, name_.text() + ": expected a list of files from " + printable(url, 200) +
                                        (page >= max_pages ? ", found one without an end" : ", found something else"));
    const std::string next = next_link(links);
    url = next.empty() ? next : join_url(url, next);
    if (!next.empty() && origin_of(url) != origin_)
      throw Error(Status::bad_file, name_.text() + ": the list of its files goes on at another host (" +
                                        printable(next, 200) + "), which the Hub's does not");
  }
  return tree;
}

// The names alone, in what is said of the commit.
RepoTree HubClient::tree_of_siblings(const std::string& commit) {
  const nlohmann::json info = get_json(api("revision/" + commit), "the list of its files");
  const auto siblings = info.is_object() ? info.find("siblings") : info.end();
  if (siblings == info.end() || !siblings->is_array())
    throw Error(Status::bad_file, name_.text() + ": " + settings_.endpoint +
                                      " has no list of its files (neither a tree "
                                      "nor \"siblings\")");
  nlohmann::json page = nlohmann::json::array();
  for (const nlohmann::json& item : *siblings)
    if (item.is_object()) page.push_back({{"type", "file"}, {"path", text_at(item, "rfilename")}});
  RepoTree tree;
  add_page(page, tree);
  return tree;
}

TreeFile HubClient::ask(const std::string& commit, const std::string& path) {
  const auto make = [&] {
    HttpRequest request = file_request(commit, path);
    request.method = HttpMethod::head;
    request.stall_seconds = settings_.api_seconds;
    request.go_on = [&] { return say({PullProgress::Phase::asking, path, 0, 0}); };
    return request;
  };
  const HttpAnswer answer = send({.what = path, .make = make}).outcome.answer;
  const std::string linked = etag_of(answer.header("x-linked-etag")), own = etag_of(answer.header("etag"));
  const std::string etag = linked.empty() ? own : linked;
  TreeFile file;
  if (is_digest(etag, 64))
    file.sha256 = etag;
  else if (is_digest(etag, 40))
    file.blob_id = etag;
  file.size = number_in(answer.header("x-linked-size"));
  if (file.size == TreeFile::unknown_size && answer.status == 200)
    file.size = number_in(answer.header("content-length"));
  if (file.etag().empty() || file.size == TreeFile::unknown_size)
    throw Error(Status::unsupported, name_.text() + ": " + settings_.endpoint + " gives no " +
                                         (file.etag().empty() ? "hash" : "size") + " of " + path +
                                         ", so that it cannot be checked: use another HF_ENDPOINT");
  return file;
}

void HubClient::check_part(const HttpAnswer& answer, const std::string& path, uint64_t from, uint64_t size,
                           FileSink& sink) const {
  const uint64_t announced = number_in(answer.header("content-length"));
  const std::string range = answer.header("content-range");
  const bool part = answer.status == 206;
  // Mirrors leave Content-Range out: then the length tells the rest from the whole.
  const bool rest =
      part && (range.empty() ? announced == size - from : range.starts_with("bytes " + std::to_string(from) + "-"));
  if (part && !rest && !(range.empty() && announced == size)) throw WrongPart{};
  if (!rest && sink.position() != 0) sink.restart();
  const uint64_t expected = rest ? size - from : size;
  if (announced != TreeFile::unknown_size && announced != expected)
    throw Error(Status::bad_file, name_.text() + ": " + path + ": expected " + std::to_string(expected) +
                                      " bytes, as the list of its files says, found " + std::to_string(announced) +
                                      " announced; nothing of it is kept");
}

void HubClient::download(const std::string& commit, const std::string& path, uint64_t size, FileSink& sink) {
  bool ranges = true;  // false once an answer has shown that they do not work
  const auto make = [&] {
    if (!ranges && sink.position() != 0) sink.restart();
    const uint64_t from = sink.position();
    HttpRequest request = file_request(commit, path);
    request.stall_seconds = settings_.download_seconds;
    request.stall_rate = 1024;
    request.max_body = UINT64_MAX;  // `take` knows how much may come
    if (from > 0) request.headers.push_back("Range: bytes=" + std::to_string(from) + "-");
    request.begin = [&, from](const HttpAnswer& answer) {
      if (answer.status != 200 && answer.status != 206) return false;
      check_part(answer, path, from, size, sink);
      return true;
    };
    request.take = [&](const char* data, size_t bytes) {
      if (bytes > size - sink.position())
        throw Error(Status::bad_file, name_.text() + ": " + path + ": more comes than the " + std::to_string(size) +
                                          " bytes that the list of its files says; nothing of it is kept");
      sink.write(data, bytes);
    };
    request.go_on = [&] {
      return say(
          {PullProgress::Phase::downloading, path, static_cast<double>(sink.position()), static_cast<double>(size)});
    };
    return request;
  };
  const Task task{.what = path, .make = make, .position = [&] { return sink.position(); }, .size = size};
  for (;;) {
    const bool asked_for_part = ranges && sink.position() > 0;
    bool refused = false;
    try {
      refused = send(task).outcome.answer.status == 416;
    } catch (const WrongPart&) {
      refused = true;
    }
    if (!refused) return;
    if (!ranges || (!asked_for_part && sink.position() == 0))
      throw Error(Status::io, name_.text() + ": " + path + ": " + settings_.endpoint +
                                  " sends another part of the file than was asked for; try again later");
    ranges = false;
  }
}

}  // namespace quern
