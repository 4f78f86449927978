// The web page's files, in the binary.
#pragma once
#include <string_view>

namespace server {

struct PageFile {
  std::string_view name, content_type, text;
};
extern const PageFile page_files[];
extern const int n_page_files;

// Empty for a file that is not there.
std::string_view page_file(std::string_view name, std::string_view* content_type = nullptr);

}  // namespace server
