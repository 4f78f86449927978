// Parsing once, and each rendering's context. See chat_template.h.
#include "chat/chat_template.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "chat/evaluator.h"
#include "chat/parser.h"
#include "error.h"
#include "tokenizers/utf8.h"

namespace quern {

using namespace chat;

struct ChatTemplate::Parsed {
  std::string name;
  ChatLimits limits;
  Ast ast;
};

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view known_roles[] = {"user", "assistant", "system",  "developer",
                                            "tool", "function",  "ipython", "model"};

std::string check_source(std::string_view source, const std::string& name, const ChatLimits& limits) {
  if (source.size() > limits.template_bytes)
    throw Error(Status::bad_file, name + ": should have at most " + std::to_string(limits.template_bytes) +
                                      " bytes, but has " + std::to_string(source.size()));
  if (find_invalid_utf8(source) != source.size()) throw Error(Status::bad_file, name + ": is not valid UTF-8");
  return std::string(source);
}

// The context's JSON as values.
class Importer {
 public:
  explicit Importer(Evaluator& e) : e_(e) {}

  Value import(const Json& json, int depth = 0) {
    e_.budget.step();
    if (depth > static_cast<int>(max_value_depth) - 2) e_.fail("the context is nested too deep");
    if (json.is_string()) return text(json.get_ref<const std::string&>());
    if (json.is_boolean()) return Value(json.get<bool>());
    if (json.is_number_float()) return Value(json.get<double>(), true);
    if (json.is_number()) return whole(json);
    if (json.is_array()) return list(json, depth);
    if (json.is_object()) return object(json, depth, false);
    return Value::none();
  }

  // The messages' roles are trusted where they are known ones.
  Value messages(const Json& json) {
    if (!json.is_array()) return import(json);
    std::vector<Value> items;
    for (const Json& message : json)
      items.push_back(message.is_object() ? object(message, 2, true) : import(message, 2));
    Value out = e_.list(std::move(items));
    out.as<SequenceObject>().from_user = true;
    return out;
  }

 private:
  Value text(const std::string& bytes, bool from_user = true) {
    e_.budget.work(bytes.size());
    if (find_invalid_utf8(bytes) == bytes.size()) return e_.string(bytes, from_user);
    RepairedUtf8 repaired;
    repaired.assign(bytes);
    return e_.string(repaired.text(), from_user);
  }

  Value whole(const Json& json) {
    if (json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX)
      e_.fail("the context has a whole number that does not fit 64 bits with a sign");
    return Value(json.get<int64_t>(), true);
  }

  Value list(const Json& json, int depth) {
    std::vector<Value> items;
    for (const Json& item : json) items.push_back(import(item, depth + 1));
    Value out = e_.list(std::move(items));
    out.as<SequenceObject>().from_user = true;
    return out;
  }

  Value object(const Json& json, int depth, bool is_message) {
    std::vector<DictObject::Entry> entries;
    for (auto it = json.begin(); it != json.end(); ++it) {
      const bool role = is_message && it.key() == "role" && it.value().is_string() &&
                        std::find(std::begin(known_roles), std::end(known_roles), it.value().get<std::string_view>()) !=
                            std::end(known_roles);
      entries.emplace_back(
          text(it.key()), role ? text(it.value().get_ref<const std::string&>(), false) : import(it.value(), depth + 1));
    }
    Value out = e_.dict(std::move(entries));
    out.as<DictObject>().from_user = true;
    return out;
  }

  Evaluator& e_;
};

}  // namespace

ChatTemplate::ChatTemplate(std::string_view source, std::string name, ChatLimits limits) {
  auto parsed = std::make_unique<Parsed>();
  parsed->name = std::move(name);
  parsed->limits = limits;
  const std::string checked = check_source(source, parsed->name, limits);
  parsed->ast = Parser(tokenize(checked, parsed->name), parsed->name).parse();
  parsed_ = std::move(parsed);
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

std::vector<RenderedPart> ChatTemplate::render(const Json& context, const TrustedStrings& specials) const {
  if (!context.is_object())
    throw Error(Status::bad_argument, parsed_->name + ": the context of a chat template should be a JSON object");
  Evaluator e(parsed_->ast, parsed_->name, parsed_->limits);
  for (const auto& [name, text] : specials) {
    if (find_invalid_utf8(text) != text.size())
      throw Error(Status::bad_argument, parsed_->name + ": the variable " + name + " is not valid UTF-8");
    e.define(name, e.string(text));
  }
  Importer importer(e);
  for (auto it = context.begin(); it != context.end(); ++it)
    e.define(it.key(), it.key() == "messages" ? importer.messages(it.value()) : importer.import(it.value(), 1));
  const Text text = e.render();
  std::vector<RenderedPart> parts;
  size_t begin = 0;
  for (const Text::Run& run : text.runs()) {
    parts.push_back({text.bytes().substr(begin, run.end - begin), run.from_user});
    begin = run.end;
  }
  return parts;
}

std::string join_parts(const std::vector<RenderedPart>& parts) {
  std::string all;
  for (const RenderedPart& part : parts) all += part.text;
  return all;
}

}  // namespace quern
