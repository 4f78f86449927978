#include "chat/template_cache.h"

namespace quern {

const ChatTemplate& TemplateCache::get(const std::string& name, std::string_view source) const {
  // Not std::call_once: a parse that throws would leave it locked where pthread_once does not unwind.
  const std::lock_guard lock(mutex_);
  if (const auto found = parsed_.find(name); found != parsed_.end()) return found->second;
  return parsed_.emplace(name, ChatTemplate(source, name)).first->second;
}

}  // namespace quern
