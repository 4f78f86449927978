// What a chat template understands, found out by rendering small conversations: the same question is asked of every
// template, and no template's name is known.
#pragma once
#include <string_view>

#include "chat/chat_template.h"

namespace quern {

struct TemplateTraits {
  bool text_content = true;     // a content that is a string
  bool part_content = false;    // a content that is a list of parts
  bool system = true;           // the role
  bool developer = false;       // the role, by its name
  bool tools = false;           // the variable
  bool calls = false;           // a message's tool_calls
  bool text_arguments = false;  // of calls: JSON as text, in place of an object
  bool null_content = false;    // beside calls: none, in place of an empty text
  bool short_ids = false;       // of calls: nine letters and digits, nothing else
};

// source: what `chat` was parsed from. Never throws for what a template refuses.
TemplateTraits traits_of(const ChatTemplate& chat, std::string_view source, const TrustedStrings& specials);

}  // namespace quern
