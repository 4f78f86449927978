#include "page.h"

namespace server {

std::string_view page_file(std::string_view name, std::string_view* content_type) {
  for (int i = 0; i < n_page_files; ++i) {
    if (page_files[i].name != name) continue;
    if (content_type) *content_type = page_files[i].content_type;
    return page_files[i].text;
  }
  return {};
}

}  // namespace server
