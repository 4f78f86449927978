// Names of models, and which files of a repository they need.
#include <catch2/catch.hpp>

#include "format_bytes.h"
#include "hub/known_models.h"
#include "hub/needed_files.h"
#include "hub/repo_name.h"

using namespace quern;
using namespace quern::test;

namespace {

RepoTree tree_of(std::initializer_list<const char*> paths) {
  RepoTree tree;
  for (const char* path : paths) tree[path] = {};
  return tree;
}

std::vector<std::string> needed(const RepoTree& tree, const std::map<std::string, std::string>& texts = {},
                                const std::string& file = "") {
  const RepoName name{.repo = "org/name", .file = file};
  return needed_files(tree, name,
                      [&](const std::string& path) -> std::optional<std::string> {
                        const auto found = texts.find(path);
                        return found == texts.end() ? std::nullopt : std::optional(found->second);
                      })
      .paths;
}

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("hub: names of models") {
  const auto parsed = [](const std::string& spec) { return parse_repo_name(spec).value(); };
  CHECK(parsed("org/name").revision == "main");
  CHECK(parsed("org/name@v1.0").revision == "v1.0");
  CHECK(parsed("org/name@refs/pr/1").revision == "refs/pr/1");
  CHECK(parsed("org/name:a-Q8_0.gguf@v1").file == "a-Q8_0.gguf");
  CHECK(parsed("org/name:sub/a.gguf").file == "sub/a.gguf");
  CHECK(parsed("org/name:a.gguf@v1").text() == "org/name:a.gguf@v1");
  CHECK(parsed("org/name@main").text() == "org/name");
  CHECK(parsed("org/name").folder() == "models--org--name");
  CHECK(parsed("gpt2").folder() == "models--gpt2");
  CHECK(parsed("minilm@v1").repo == "sentence-transformers/all-MiniLM-L6-v2");
  for (const char* none : {"", "a/b/c", "../a", "/a", "https://huggingface.co/a/b", ":x", "@x", "a b"})
    CHECK_FALSE(parse_repo_name(none));
  for (const char* wrong : {"org/name@", "org/name@..", "org/name:", "org/name:../x", "org/name:/x"})
    CHECK(error_of([&] { parse_repo_name(wrong); }).status == Status::bad_argument);
  for (const KnownModel& m : known_models()) {
    CAPTURE(m.name);
    CHECK(is_repo_id(m.repo));
    CHECK(find_known_model(m.name) == &m);
  }
}

TEST_CASE("hub: files of a plain model") {
  const RepoTree tree = tree_of({"config.json", "tokenizer.json", "vocab.txt", "model.safetensors", "pytorch_model.bin",
                                 "onnx/model.onnx", "onnx/config.json", "model.fp16.safetensors", "README.md",
                                 "tokenizer_config.json", "train.py", "model.safetensors.index.json"});
  CHECK(needed(tree) ==
        Paths{"README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"});
  CHECK(needed(tree_of({"config.json", "vocab.txt", "model.safetensors"})) ==
        Paths{"config.json", "model.safetensors", "vocab.txt"});
}

TEST_CASE("hub: files of modules and shards") {
  const RepoTree tree = tree_of({"modules.json", "0_T/config.json", "0_T/tokenizer.json",
                                 "0_T/model.safetensors.index.json", "0_T/a.safetensors", "0_T/b.safetensors",
                                 "0_T/c.safetensors", "1_P/config.json", "2_D/config.json", "2_D/model.safetensors"});
  const std::map<std::string, std::string> texts = {
      {"modules.json", R"([{"path": "0_T"}, {"path": "1_P"}, {"path": "2_D"}])"},
      {"0_T/model.safetensors.index.json", R"({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}})"}};
  CHECK(needed(tree, texts) == Paths{"0_T/a.safetensors", "0_T/b.safetensors", "0_T/config.json",
                                     "0_T/model.safetensors.index.json", "0_T/tokenizer.json", "1_P/config.json",
                                     "2_D/config.json", "2_D/model.safetensors", "modules.json"});
}

TEST_CASE("hub: what is no model") {
  const auto refused = [](const RepoTree& tree, const std::string& file = "") {
    return error_of([&] { needed(tree, {}, file); });
  };
  const Error pickle = refused(tree_of({"config.json", "pytorch_model-00001-of-00002.bin"}));
  CHECK(pickle.status == Status::unsupported);
  CHECK(pickle.message.find("pytorch_model-00001-of-00002.bin") != std::string::npos);
  CHECK(refused({}).status == Status::unsupported);
  CHECK(refused(tree_of({"a.gguf", "b.gguf"})).status == Status::not_found);
  CHECK(refused(tree_of({"a.gguf"}), "b.gguf").status == Status::not_found);
  CHECK(refused(tree_of({"a.gguf"}), "config.json").status == Status::not_found);
}

TEST_CASE("hub: GGUF files") {
  const RepoTree tree = tree_of({"x-Q4_K_M.gguf", "x-Q4_K_S.gguf", "sub/x-Q8_0.gguf", "mmproj-x-F16.gguf"});
  CHECK(needed(tree, {}, "Q4_K_M") == Paths{"x-Q4_K_M.gguf"});
  CHECK(needed(tree, {}, "q8_0") == Paths{"sub/x-Q8_0.gguf"});
  CHECK(needed(tree, {}, "sub/x-Q8_0.gguf") == Paths{"sub/x-Q8_0.gguf"});
  CHECK(needed(tree_of({"mmproj-x.gguf", "x.GGUF"})) == Paths{"x.GGUF"});
  CHECK(error_of([&] { needed(tree, {}, "_M"); }).status == Status::not_found);  // no word of its own
}

TEST_CASE("hub: patterns of files") {
  CHECK(matches_pattern("onnx/model.onnx", "*.onnx"));
  CHECK(matches_pattern("onnx/a/model.onnx", "onnx/"));
  CHECK(matches_pattern("a1", "a[0-9]"));
  CHECK(matches_pattern("a-b", "a[!0-9]b"));
  CHECK(!matches_pattern("a1b", "a[!0-9]b"));
  CHECK(matches_pattern("a]b", "a[]]b"));
  CHECK(matches_pattern("a[b", "a[b"));
  CHECK(matches_pattern("aaab", "*a*b"));
  CHECK(!matches_pattern("aaac", "*a*b"));
  CHECK_FALSE(matches_pattern("A1", "a[0-9]"));
  CHECK(matches_pattern("ab", "a[!0-9]"));
  CHECK_FALSE(matches_pattern("onnx2/x", "onnx/"));
}

TEST_CASE("hub: addresses of datasets") {
  const auto revision_and_path = [](const std::string& text) {
    const HubAddress a = parse_hub_address("hf://datasets/org/name" + text);
    CHECK(a.repo.place() == "datasets/org/name");
    return a.repo.revision + ' ' + a.path;
  };
  CHECK(revision_and_path("") == "main ");
  CHECK(revision_and_path("/") == "main ");
  CHECK(revision_and_path("/data/") == "main data");
  CHECK(revision_and_path("@v1/a/b@c.txt") == "v1 a/b@c.txt");
  CHECK(revision_and_path("/a@b.txt") == "main a@b.txt");
  CHECK(revision_and_path("@refs%2Fpr%2f1/x") == "refs/pr/1 x");
  CHECK(revision_and_path("@refs/pr/1/x") == "refs/pr/1 x");
  CHECK(revision_and_path("@refs/convert/parquet/a/b") == "refs/convert/parquet a/b");
  CHECK(revision_and_path("@~parquet/a") == "refs/convert/parquet a");
  for (const char* wrong : {"org/name", "hf://org/name/x", "hf://datasets/name", "hf://datasets/org/name@/x",
                            "hf://datasets/org/name@a..b/x", "hf://datasets/org/name/../x", "hf://datasets/a b/c"})
    CHECK(error_of([&] { parse_hub_address(wrong); }).status == Status::bad_argument);
}

TEST_CASE("hub: patterns of addresses") {
  const auto matches = [](const char* pattern) {
    std::string matched;
    for (const char* path : {"a.txt", "d/a.txt", "d/e/a.txt", "d/e/b.csv"})
      if (matches_path(path, pattern)) matched += std::string(path) + ' ';
    return matched;
  };
  CHECK(matches("*.txt") == "a.txt ");
  CHECK(matches("d/*") == "d/a.txt ");
  CHECK(matches("**") == "a.txt d/a.txt d/e/a.txt d/e/b.csv ");
  CHECK(matches("**/a.txt") == "a.txt d/a.txt d/e/a.txt ");
  CHECK(matches("d/**/*.txt") == "d/a.txt d/e/a.txt ");
  CHECK(matches("d/[e-f]/?.*") == "d/e/a.txt d/e/b.csv ");
  CHECK(matches("d/[!e]/*").empty());
  CHECK(matches("").empty());
  CHECK(is_path_pattern("a/[b].txt"));
  CHECK_FALSE(is_path_pattern("a/b.txt"));
}
