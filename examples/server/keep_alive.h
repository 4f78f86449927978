// Ollama's keep_alive: how long a model stays after a request.
#pragma once
#include "fields.h"
#include "model_slot.h"

namespace server {

// Seconds, or a duration of Go's ("5m", "1h30m"); below 0: for good; 0: not at all. None: as the server has it. Throws
// Refusal.
ModelSlot::Keep keep_alive_of(const Fields& fields);

}  // namespace server
