#include "inputs.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common.h"
#include "content.h"
#include "hub_dataset.h"
#include "os/files.h"
#include "texts.h"

namespace cli {
namespace {

std::vector<std::string> texts_of_folder(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator at(os::path_of(folder), error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = os::text_of(at->path().filename());
    if (!name.starts_with('.') && is_text_name(name) && at->is_regular_file(error))
      paths.push_back(os::text_of(at->path()));
    error.clear();
  }
  if (error) throw Failure{1, folder + ": " + error.message()};
  if (paths.empty()) throw Failure{1, folder + no_texts()};
  std::sort(paths.begin(), paths.end());
  return paths;
}

// Files of a folder that datasets' save_to_disk has made, in order; none for another folder. Throws Failure.
std::vector<std::string> files_of_dataset(const std::string& folder) {
  const auto load = [&](const char* name) {
    std::ifstream file(os::path_of(folder + '/' + name));
    return file ? nlohmann::json::parse(file, nullptr, false) : nlohmann::json();
  };
  if (const nlohmann::json parts = load("dataset_dict.json"); parts.is_object()) {
    std::string list;
    for (const nlohmann::json& part : parts.value("splits", nlohmann::json::array()))
      if (part.is_string()) list += (list.empty() ? " " : ", ") + folder + '/' + part.get<std::string>();
    throw Failure{1, folder + ": expected one dataset, found one of several splits; give" + one_line(list, 400)};
  }
  const nlohmann::json state = load("state.json");
  if (!state.is_object() || !state.contains("_data_files")) return {};
  const auto wrong = [&](const char* what) { throw Failure{1, folder + "/state.json: " + what}; };
  if (!state.value("_indices_data_files", nlohmann::json()).is_null())
    wrong("its rows are chosen by indices; write it again with Dataset.flatten_indices()");
  const nlohmann::json& files = state["_data_files"];
  if (!files.is_array() || files.size() > 100'000) wrong("expected a list of files in _data_files");
  std::vector<std::string> paths;
  for (const nlohmann::json& file : files) {
    if (!file.is_object() || !file.value("filename", nlohmann::json()).is_string())
      wrong("expected files with a filename in _data_files");
    const std::string name = file["filename"];
    if (name.empty() || name.find('/') != std::string::npos || name.starts_with('.'))
      wrong("expected names of files in this folder in _data_files");
    paths.push_back(folder + '/' + name);
  }
  if (paths.empty()) wrong("it lists no files");
  return paths;
}

constexpr std::string_view kHub = "hf://";

struct Found {
  Input input;
  bool folder = false;
};

Found find(const std::string& path) {
  os::FileInfo info;
  if (!os::info_of(path, info)) throw Failure{1, path + ": " + std::strerror(errno)};
  return {{.name = path, .bytes = info.regular ? static_cast<double>(info.size) : -1, .changed = info.changed},
          info.folder};
}

void add(Input input, Inputs& inputs) {
  inputs.before.push_back(std::max(inputs.bytes, 0.0));
  inputs.bytes = input.bytes < 0 || inputs.bytes < 0 ? -1 : inputs.bytes + input.bytes;
  inputs.files.push_back(std::move(input));
}

void add_dataset(const std::string& address, Inputs& inputs) {
  const auto dataset = std::make_shared<HubDataset>(address);
  for (size_t i = 0; i < dataset->files().size(); ++i)
    add({.name = dataset->file_name(i), .bytes = dataset->files()[i].bytes, .dataset = dataset, .of_dataset = i},
        inputs);
}

}  // namespace

std::string no_texts() {
  return ": expected files of texts, found a folder without .txt, .text, .jsonl, .ndjson, .json, .csv, .tsv, .tab, "
         ".parquet, .arrow and .feather";
}

Inputs find_inputs(const std::vector<std::string>& names) {
  Inputs inputs;
  if (std::count(names.begin(), names.end(), "-") > 1) throw Failure{2, "-f: stdin (-) can be read once"};
  for (const std::string& name : names) {
    if (name.starts_with(kHub)) {
      add_dataset(name, inputs);
      continue;
    }
    const Found found = name == "-" ? Found{{.name = name}} : find(name);
    if (!found.folder) {
      add(found.input, inputs);
      continue;
    }
    std::vector<std::string> paths = files_of_dataset(name);
    if (paths.empty()) paths = texts_of_folder(name);
    for (const std::string& path : paths) add(find(path).input, inputs);
  }
  return inputs;
}

}  // namespace cli
