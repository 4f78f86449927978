#include "chat/template_cache.h"

namespace quern {

const ParsedTemplate& TemplateCache::get(const std::string& name, std::string_view source,
                                         const TrustedStrings& specials) const {
  // Not std::call_once: a parse that throws would leave it locked where pthread_once does not unwind.
  const std::lock_guard lock(mutex_);
  if (const auto found = parsed_.find(name); found != parsed_.end()) return found->second;
  ChatTemplate chat(source, name);
  const TemplateTraits traits = traits_of(chat, source, specials);
  return parsed_.emplace(name, ParsedTemplate{std::move(chat), traits}).first->second;
}

}  // namespace quern
