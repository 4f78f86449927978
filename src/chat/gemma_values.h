// Arguments as functiongemma spells them: {city:<escape>Paris<escape>,days:3,deep:{a:[1,true]}}.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace quern {

// The JSON of the object that `text` begins with, and how many bytes that took; 0: it is none, or not whole.
size_t read_gemma_object(std::string_view text, nlohmann::ordered_json& out);

// GBNF of a schema's arguments; further rules, whose names begin with `prefix`, are appended to `rules`. Strings,
// numbers, booleans, enums, lists and objects are held to the schema; other parts of it may have any value. escape: the
// mark around strings, as GBNF. Throws Error bad_argument for a schema nested too deep.
std::string gemma_arguments(std::string_view schema, const std::string& prefix, const std::string& escape,
                            std::string& rules);

}  // namespace quern
