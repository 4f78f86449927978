// A model folder from one input: each file is "path NUL text NUL"; pipeline.json is the form that model files hold.
// Only Error may be thrown, and a pipeline that is accepted must survive its JSON form.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "error.h"
#include "hub/hf_folder.h"

using namespace quern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::map<std::string, std::string, std::less<>> files;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto take = [&] {
    const size_t end = std::min(rest.find('\0'), rest.size());
    const std::string part(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
  };
  while (!rest.empty()) {
    const std::string path = take();
    files[path] = take();
  }
  try {
    const auto pipeline = files.find("pipeline.json");
    if (pipeline != files.end()) pipeline_from_json(pipeline->second, "fuzz");
  } catch (const Error&) {
  }
  const auto read = [&](const std::string& path, size_t) -> std::optional<std::string> {
    const auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
  try {
    const HfFolder folder = HfFolder::read("/models/tiny", read);
    if (pipeline_from_json(to_json(folder.pipeline), "fuzz") != folder.pipeline) std::abort();
    if (prompts_from_json(prompts_to_json(folder.prompts), "fuzz") != folder.prompts) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
