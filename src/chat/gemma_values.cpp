// See gemma_values.h.
#include "chat/gemma_values.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "error.h"
#include "io/json.h"

namespace quern {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view mark = "<escape>";
constexpr int max_gemma_depth = 32;

class GemmaReader {
 public:
  explicit GemmaReader(std::string_view text) : text_(text) {}

  bool object(Json& out, int depth = 0) {
    if (depth > max_gemma_depth || !take("{")) return false;
    out = Json::object();
    if (take("}")) return true;
    do {
      std::string key;
      if (text_.substr(at_).starts_with(mark)) {
        if (!string(key)) return false;
      } else {
        const size_t colon = text_.find(':', at_);
        if (colon == std::string_view::npos) return false;
        key = text_.substr(at_, colon - at_);
        at_ = colon;
      }
      if (!take(":") || !value(out[key], depth + 1)) return false;
    } while (take(","));
    return take("}");
  }
  size_t at() const { return at_; }

 private:
  bool take(std::string_view s) {
    if (!text_.substr(at_).starts_with(s)) return false;
    at_ += s.size();
    return true;
  }
  bool string(std::string& out) {
    if (!take(mark)) return false;
    const size_t end = text_.find(mark, at_);
    if (end == std::string_view::npos) return false;
    out = text_.substr(at_, end - at_);
    at_ = end + mark.size();
    return true;
  }
  bool list(Json& out, int depth) {
    out = Json::array();
    if (!take("[")) return false;
    if (take("]")) return true;
    do {
      out.push_back(nullptr);
      if (depth > max_gemma_depth || !value(out.back(), depth + 1)) return false;
    } while (take(","));
    return take("]");
  }
  bool value(Json& out, int depth) {
    if (at_ >= text_.size()) return false;
    if (text_[at_] == '{') return object(out, depth);
    if (text_[at_] == '[') return list(out, depth);
    if (std::string s; text_.substr(at_).starts_with(mark)) return string(s) && (out = s, true);
    const size_t end = text_.find_first_of(",}]", at_);
    if (end == std::string_view::npos) return false;
    const std::string bare(text_.substr(at_, end - at_));
    at_ = end;
    // A number, true, false, null; other bare text is a string that was left unmarked.
    out = Json::parse(bare, nullptr, false);
    if (out.is_discarded()) out = bare;
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

class GemmaRules {
 public:
  GemmaRules(std::string prefix, std::string escape, std::string& rules)
      : prefix_(std::move(prefix)), escape_(std::move(escape)), rules_(rules) {}

  std::string object(const Json& schema, int depth) {
    if (!schema.is_object()) return any() + "-object";
    const Json properties = schema.contains("properties") ? schema["properties"] : Json();
    if (!properties.is_object() || properties.empty())
      return schema.value("additionalProperties", Json()) == false ? "\"{}\"" : any() + "-object";
    const Json required = schema.value("required", Json::array());
    std::vector<std::string> names;
    for (const auto& [name, value] : properties.items()) names.push_back(name);
    std::sort(names.begin(), names.end());  // as its template writes them
    // From the end: what follows behind a member, and what the first can be.
    std::string after = "\"\"", first = "\"\"";
    for (size_t i = names.size(); i-- > 0;) {
      const bool must = std::find(required.begin(), required.end(), Json(names[i])) != required.end();
      const std::string member = rule(Json(names[i] + ":").dump() + " " + value(properties[names[i]], depth + 1));
      const std::string here = member + " " + after;
      first = must ? here : rule("(" + here + ") | (" + first + ")");
      after = rule(must ? "\",\" " + here : "(\",\" " + here + ") | (" + after + ")");
    }
    return "\"{\" (" + first + ") \"}\"";
  }

 private:
  std::string rule(const std::string& body) {
    const std::string name = prefix_ + "-" + std::to_string(n_++);
    rules_ += name + " ::= " + body + "\n";
    return name;
  }
  // The name of the rule for any value; with "-object", "-string" and so on for one of a kind.
  std::string any() {
    const std::string a = prefix_ + "-any";
    if (std::exchange(has_any_, true)) return a;
    rules_ += a + " ::= " + a + "-object | " + a + "-list | " + a + "-string | " + a +
              "-number | \"true\" | \"false\" | \"null\"\n" + a + "-object ::= \"{\" (" + a + "-member (\",\" " + a +
              "-member)*)? \"}\"\n" + a + "-member ::= [a-zA-Z_] [a-zA-Z0-9_]{0,63} \":\" " + a + "\n" + a +
              "-list ::= \"[\" (" + a + " (\",\" " + a + ")*)? \"]\"\n" + a + "-string ::= " + escape_ +
              " [^<\\x00-\\x08]* " + escape_ + "\n" + a + "-number ::= %json {\"type\":\"number\"}\n";
    return a;
  }
  std::string value(const Json& schema, int depth) {
    if (depth > max_gemma_depth)
      throw Error(Status::bad_argument, "tools: a schema is nested deeper than " + std::to_string(max_gemma_depth));
    if (!schema.is_object()) return any();
    if (schema.contains("enum") && schema["enum"].is_array() && !schema["enum"].empty()) return one_of(schema["enum"]);
    const Json type = schema.value("type", Json());
    if (type == "object") return "(" + object(schema, depth) + ")";
    if (type == "string") return any() + "-string";
    if (type == "array") {
      const std::string item = rule(value(schema.value("items", Json()), depth + 1));
      return "\"[\" (" + item + " (\",\" " + item + ")*)? \"]\"";
    }
    if (type == "number" || type == "integer" || type == "boolean" || type == "null") return "%json " + schema.dump();
    return any();
  }
  std::string one_of(const Json& values) {
    std::string all;
    for (const Json& v : values)
      all += (all.empty() ? "" : " | ") +
             (v.is_string() ? escape_ + " " + v.dump() + " " + escape_ : Json(v.dump()).dump());
    return "(" + all + ")";
  }

  const std::string prefix_, escape_;
  std::string& rules_;
  int n_ = 0;
  bool has_any_ = false;
};

}  // namespace

size_t read_gemma_object(std::string_view text, Json& out) {
  GemmaReader reader(text);
  return reader.object(out) ? reader.at() : 0;
}

std::string gemma_arguments(std::string_view schema, const std::string& prefix, const std::string& escape,
                            std::string& rules) {
  return GemmaRules(prefix, escape, rules).object(parse_ordered_json(schema, "tools"), 0);
}

}  // namespace quern
