// A model's chat templates, each parsed when it is first asked for.
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "chat/chat_template.h"
#include "chat/template_traits.h"

namespace quern {

struct ParsedTemplate {
  ChatTemplate chat;
  TemplateTraits traits;
};

// Any number of threads may ask.
class TemplateCache {
 public:
  // The template of this name, which is the one for its messages too; `source` and `specials` count the first time
  // only. Lives as long as this. Throws what parsing throws, at every call: what is no template is not kept.
  const ParsedTemplate& get(const std::string& name, std::string_view source, const TrustedStrings& specials) const;

 private:
  mutable std::mutex mutex_;
  mutable std::map<std::string, ParsedTemplate> parsed_;  // whose entries stay where they are
};

}  // namespace quern
