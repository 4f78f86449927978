// Names of repos, revisions and paths, and the search of a local Hub cache.
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <map>
#include <optional>

#include "format_bytes.h"
#include "hub/snapshot.h"
#include "io/safe_path.h"

using namespace quern;
using namespace quern::test;

namespace {

const std::string commit(40, 'a');

// Sets environment variables for one test and puts the old values back.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& values) {
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME", "QUERN_X"}) {
      const char* old = ::getenv(name);
      old_[name] = old == nullptr ? std::nullopt : std::optional<std::string>(old);
      ::unsetenv(name);
    }
    for (const auto& [name, value] : values) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const auto& [name, value] : old_) value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
  }

 private:
  std::map<std::string, std::optional<std::string>> old_;
};

std::string cache_with(const std::map<std::string, std::string>& values) {
  const Environment environment(values);
  return hub_cache_dir();
}

}  // namespace

TEST_CASE("hub: repo ids") {
  for (const char* id : {"gpt2", "sentence-transformers/all-MiniLM-L6-v2", "a/b", "A_1.x/B-2.y"}) CHECK(is_repo_id(id));
  for (const char* id : {"", "/", "a/", "/a", "a/b/c", "-a/b", "a/b-", ".a/b", "a/b.", "a--b/c", "a/b..c", "a/b.git",
                         "a b/c", "a/b\n", "../b", "a/..", "~/a", "a\\b"}) {
    CAPTURE(id);
    CHECK_FALSE(is_repo_id(id));
  }
  CHECK(is_repo_id(std::string(96, 'a')));
  CHECK_FALSE(is_repo_id(std::string(97, 'a')));
}

TEST_CASE("hub: commits, revisions and relative paths") {
  CHECK(is_commit(commit));
  for (const std::string& text : {commit.substr(1), commit + "a", std::string(40, 'A'), std::string(40, 'g')}) {
    CHECK_FALSE(is_commit(text));
  }
  for (const char* text : {"main", "refs/pr/1", "v1.0", "a b"}) CHECK(is_revision(text));
  for (const char* text : {"", "..", "a/../b", "/a", "a/", "a//b", "a\\b", "a..b", "./a", "c:x", "a\nb"}) {
    CAPTURE(text);
    CHECK_FALSE(is_revision(text));
  }
  for (const char* text : {"1_Pooling", "a/b", "..a", "a..b"}) CHECK(is_safe_relative_path(text));
  for (const char* text : {"", ".", "..", "../a", "a/..", "a/../b", "/a", "a/", "a//b", "a\\b", "C:\\a", "c:a"}) {
    CAPTURE(text);
    CHECK_FALSE(is_safe_relative_path(text));
  }
  CHECK_FALSE(is_safe_relative_path(std::string_view("a\0b", 3)));
}

TEST_CASE("hub: where the cache is") {
  const std::string h = "HOME";
  CHECK(cache_with({{"HF_HUB_CACHE", "/1"}, {"HUGGINGFACE_HUB_CACHE", "/2"}, {"HF_HOME", "/3"}}) == "/1");
  CHECK(cache_with({{"HUGGINGFACE_HUB_CACHE", "/2"}, {"HF_HOME", "/3"}}) == "/2");
  CHECK(cache_with({{"HF_HOME", "/3"}, {"XDG_CACHE_HOME", "/4"}}) == "/3/hub");
  CHECK(cache_with({{"XDG_CACHE_HOME", "/4"}, {h, "/5"}}) == "/4/huggingface/hub");
  CHECK(cache_with({{h, "/5"}}) == "/5/.cache/huggingface/hub");
  CHECK(cache_with({}).empty());
  CHECK(cache_with({{"HF_HOME", "~/x"}, {h, "/5"}}) == "/5/x/hub");
  CHECK(cache_with({{"HF_HUB_CACHE", "$QUERN_X/${QUERN_X}y$Z$"}, {"QUERN_X", "v"}}) == "v/vy$Z$");
}

TEST_CASE("hub: a repo id becomes a snapshot's folder") {
  const ScratchFolder cache;
  const Environment environment({{"HF_HUB_CACHE", cache.path()}});
  const std::string repo = "models--org--name/", folder = cache.file(repo + "snapshots/" + commit);
  cache.write(repo + "snapshots/" + commit + "/config.json", "{}");
  cache.write(repo + "snapshots/" + commit + "/tokenizer.json", "{}");
  const auto lacking = error_of([&] { resolve_model_path("org/name@" + commit); });
  CHECK(lacking.status == Status::not_found);
  CHECK(lacking.message.find("quern pull org/name@" + commit) != std::string::npos);
  cache.write(repo + "snapshots/" + commit + "/model.safetensors", "x");
  cache.write(repo + "refs/main", commit + "\n");
  cache.write(repo + "refs/refs/pr/1", commit);
  cache.write(repo + "refs/broken", "../../..");
  cache.write(repo + "refs/gone", std::string(40, 'b'));
  CHECK(resolve_model_path("org/name") == folder);
  CHECK(resolve_model_path("org/name@main") == folder);
  CHECK(resolve_model_path("org/name@refs/pr/1") == folder);
  CHECK(resolve_model_path("org/name@" + commit) == folder);
  CHECK(resolve_model_path(folder) == folder);
  CHECK(resolve_model_path(folder + "/config.json") == folder + "/config.json");
  const auto failure = [](const std::string& spec) { return error_of([&] { resolve_model_path(spec); }); };
  CHECK(failure("org/name@broken").status == Status::bad_file);
  CHECK(failure("org/name@gone").message.find(std::string(40, 'b')) != std::string::npos);
  CHECK(failure("org/name@none").message.find("refs/none") != std::string::npos);
  CHECK(failure("org/name@../x").status == Status::bad_argument);
  CHECK(failure("").status == Status::bad_argument);
  const Error other = failure("org/other");
  CHECK(other.status == Status::not_found);
  CHECK(other.message.find(cache.file("models--org--other")) != std::string::npos);
  CHECK(failure("/none/model.q8").status == Status::not_found);
}
