// Chat templates: the Jinja of Hugging Face's tokenizers, rendered as transformers renders it, but so that the text of
// the input stays apart from the text of the template.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

// A piece of a rendering. from_user: it came in through the context, in whole or in a way that can't be told; no
// special token may be read out of it.
struct RenderedPart {
  std::string text;
  bool from_user;
};

// What a template may cost. Every bound that is reached is an Error.
struct ChatLimits {
  size_t template_bytes = 1 << 20;
  uint64_t steps = 5'000'000;       // nodes run, items gone through, and 256 bytes copied or searched are one each
  size_t output_bytes = 16 << 20;   // of the rendering, and of what any macro or block gives
  size_t memory_bytes = 256 << 20;  // of all values alive
  uint32_t macro_depth = 100;       // macros that call macros
};

// Variables that are part of the model, not of the input: bos_token, eos_token and the like.
using TrustedStrings = std::map<std::string, std::string>;

// Immutable once parsed; any number of threads may render.
class ChatTemplate {
 public:
  // source: a jinja template; name is for messages. Throws Error bad_file, with the line, for what is not one, and
  // unsupported for tags that load other templates.
  ChatTemplate(std::string_view source, std::string name, ChatLimits limits = {});
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  // context: an object whose members are the template's variables: messages, tools, documents, add_generation_prompt
  // and whatever else the template knows (enable_thinking …). All of its strings are the user's, but for a message's
  // role of user, assistant, system, developer, tool, function, ipython, model, which some templates build tokens from.
  // Neighbouring parts differ in from_user; none is empty. Throws Error bad_argument, with the line: what the template
  // raises, wrong types, limits reached.
  std::vector<RenderedPart> render(const nlohmann::ordered_json& context, const TrustedStrings& specials) const;

 private:
  struct Parsed;
  std::unique_ptr<const Parsed> parsed_;
};

// The parts in one.
std::string join_parts(const std::vector<RenderedPart>& parts);

}  // namespace quern
