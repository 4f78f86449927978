// The one step between what a client sends and what a template is given: whichever dialect a conversation came in, its
// messages are OpenAI's here, and the template gets those that it can write.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "chat/chat_template.h"
#include "chat/template_traits.h"
#include "chat/tool_format.h"

namespace quern {

// context: a template's variables, with "messages". Of these
// - arguments of calls that are JSON text become objects, or objects text, as the template wants them;
// - tool_calls that are null or empty are left out; a content that is null or missing is "", but beside calls none
//   where the template knows that;
// - the role developer is system where the template does not name it;
// - a content in parts of text stays one where the template goes through parts, and is else its texts, a line each;
// - calls' ids that the template has no room for get others, the same everywhere;
// - where the template knows no tools, instructions about them are added to the system message, and calls and their
//   results are written as text; where it has no system message, that comes before the first message of the user.
// Throws Error bad_argument that names the message.
nlohmann::ordered_json prepare_conversation(nlohmann::ordered_json context, const TemplateTraits& traits,
                                            const ToolFormat& format);

// continue_final_message: cuts what the template wrote behind the last message's text, as transformers does. messages:
// the context's. Throws Error bad_argument where the rendering does not have it.
void cut_behind_last_message(std::vector<RenderedPart>& parts, const nlohmann::ordered_json& messages);

}  // namespace quern
