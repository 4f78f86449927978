// Adapters that come and go while their models are served, as vLLM's and llama-server's clients ask for it: only where
// the server was started with --adapter-routes, since who may ask makes it read folders of its machine.
#include "routes.h"

namespace server {
namespace {

void require_routes(const App& app, const char* route) {
  if (!app.options.adapter_routes)
    throw Refusal{Reason::forbidden,
                  std::string(route) + " is answered where the server was started with --adapter-routes"};
}

struct Numbered {
  Models::Slot slot;
  AdapterSource adapter;
};

// All adapters of all models; llama-server calls one by its place in this list.
std::vector<Numbered> numbered(const Models& models) {
  std::vector<Numbered> all;
  for (const auto& slot : models.all())
    for (const AdapterSource& adapter : slot->adapters()) all.push_back({slot, adapter});
  return all;
}

struct Choice {
  Numbered adapter;
  bool chosen;
};

// [{"id": 0, "scale": 1.0}, …]: at scale 1 chosen, at 0 not. An adapter beside weights has one scale.
std::vector<Choice> choices(const Models& models, const Json& list, const char* name) {
  if (!list.is_array())
    throw Refusal{Reason::wrong_type, std::string("expected a list of {\"id\", \"scale\"}, found ") + describe(list),
                  name};
  const std::vector<Numbered> all = numbered(models);
  std::vector<Choice> made;
  for (const Json& entry : list) {
    if (!entry.is_object())
      throw Refusal{Reason::wrong_type, "expected {\"id\", \"scale\"}, found " + describe(entry), name};
    const Fields fields(entry, std::string(name) + ".");
    fields.need("id");
    const int64_t id = fields.integer("id", 0, 0, INT32_MAX);
    const double scale = fields.number("scale", 1, -1e9, 1e9);
    if (static_cast<size_t>(id) >= all.size())
      throw Refusal{Reason::validation,
                    "there is no adapter " + std::to_string(id) + "; there are " + std::to_string(all.size()), name};
    if (scale != 0 && scale != 1)
      throw Refusal{Reason::validation,
                    "`" + fields.full_name("scale") + "` is " + describe(entry["scale"]) +
                        ": only 1 and 0 are possible (quern convert --adapter DIR=WEIGHT merges others)",
                    name};
    made.push_back({all[static_cast<size_t>(id)], scale == 1});
  }
  return made;
}

void refuse_two(const Numbered& one, const Numbered& other, const char* name) {
  if (one.slot == other.slot && one.adapter.name != other.adapter.name)
    throw Refusal{Reason::validation,
                  "\"" + one.adapter.name + "\" and \"" + other.adapter.name +
                      "\" at once: a text takes one adapter (" + "quern convert --adapter, given twice, merges both)",
                  name};
}

void list_adapters(Call& call) {
  require_routes(call.app, "/lora-adapters");
  Json all = Json::array();
  for (const auto& [slot, adapter] : numbered(*call.models))
    all.push_back({{"id", all.size()},
                   {"path", adapter.folder},
                   {"scale", slot->usual_adapter() == adapter.name ? 1.0 : 0.0},
                   {"name", adapter.name},
                   {"model", slot->id}});
  call.answer(all);
}

// What requests get from now on that name none; adapters that are not listed are at 0.
void set_scales(Call& call) {
  require_routes(call.app, "/lora-adapters");
  const std::vector<Choice> made = choices(*call.models, call.any_body(), "");
  for (const Choice& one : made)
    for (const Choice& other : made)
      if (one.chosen && other.chosen) refuse_two(one.adapter, other.adapter, "");
  for (const auto& slot : call.models->all()) slot->set_usual_adapter("");
  for (const Choice& c : made)
    if (c.chosen) c.adapter.slot->set_usual_adapter(c.adapter.adapter.name);
  call.answer(Json{{"success", true}});
}

// "NAME", or "MODEL:NAME" where there are several models.
Numbered named_adapter(Call& call, const std::string& text) {
  const size_t colon = text.rfind(':');
  const std::string model = colon == std::string::npos ? "" : text.substr(0, colon);
  const auto& all = call.models->all();
  for (const auto& slot : all)
    if (model.empty() ? all.size() == 1 : slot->id == model) return {slot, {text.substr(colon + 1), {}}};
  throw Refusal{Reason::validation,
                model.empty() ? "there are several models: `lora_name` is MODEL:NAME"
                              : "no model is called \"" + model.substr(0, 100) + '"',
                "lora_name"};
}

void answer_text(Call& call, const std::string& text) {
  call.http.response.status = 200;
  call.http.response.set_content(text, "text/plain; charset=utf-8");
}

void load_adapter(Call& call) {
  require_routes(call.app, "/v1/load_lora_adapter");
  const Fields fields(call.body());
  const std::string name = fields.need_text("lora_name");
  Numbered made = named_adapter(call, name);
  made.adapter.folder = fields.need_text("lora_path");
  if (made.adapter.folder.empty())
    throw Refusal{Reason::validation, "`lora_path` is empty: expected a folder", "lora_path"};
  if (made.adapter.name.empty() || made.adapter.name == "latest" || made.adapter.name.size() > 200)
    throw Refusal{Reason::validation,
                  "`lora_name` is " + describe(fields.json()["lora_name"]) +
                      ": expected a name of 1 to 200 bytes, not \"latest\"",
                  "lora_name"};
  made.slot->add_adapter(made.adapter, fields.flag("load_inplace", false), call.patience());
  answer_text(call, "Success: LoRA adapter '" + name + "' added successfully.");
}

void unload_adapter(Call& call) {
  require_routes(call.app, "/v1/unload_lora_adapter");
  const std::string name = Fields(call.body()).need_text("lora_name");
  const Numbered which = named_adapter(call, name);
  if (which.adapter.name.empty())
    throw Refusal{Reason::unknown_model, "`lora_name` names no adapter: \"" + name.substr(0, 100) + '"', "lora_name"};
  which.slot->remove_adapter(which.adapter.name);
  answer_text(call, "Success: LoRA adapter '" + name + "' removed successfully.");
}

}  // namespace

std::string numbered_adapter(const App& app, const Models& models, const Fields& fields) {
  const Json* list = fields.find("lora");
  if (!list || *list == Json::array()) return {};
  if (!app.options.adapter_routes)
    throw Refusal{Reason::validation,
                  "`lora` chooses adapters by number where the server was started with --adapter-routes; "
                  "`model` may always be MODEL:NAME",
                  "lora"};
  std::optional<Numbered> chosen;
  for (const Choice& c : choices(models, *list, "lora")) {
    if (!c.chosen) continue;
    if (chosen) refuse_two(*chosen, c.adapter, "lora");
    chosen = c.adapter;
  }
  if (!chosen) return {};
  if (const auto asked = models.named(fields.text("model")); asked && asked != chosen->slot)
    asked->require_adapter(chosen->slot->id + ':' + chosen->adapter.name);
  return chosen->slot->id + ':' + chosen->adapter.name;
}

std::span<const Route> adapter_routes() {
  static constexpr Route all[] = {
      {"GET", "/lora-adapters", Dialect::openai, list_adapters},
      {"POST", "/lora-adapters", Dialect::openai, set_scales},
      {"POST", "/v1/load_lora_adapter", Dialect::openai, load_adapter},
      {"POST", "/v1/unload_lora_adapter", Dialect::openai, unload_adapter},
  };
  return all;
}

}  // namespace server
