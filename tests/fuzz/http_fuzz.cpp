// libFuzzer target: a byte that chooses how the rest is split, and what a client sends. Anything but a Refusal is a
// bug, and so is a request that depends on how its bytes came, more kept than the limits allow, or a field out of its
// bounds.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/fields.h"
#include "server/framing.h"
#include "server/refusal.h"

namespace {

using namespace server;

// Small, so that inputs reach them.
FramingLimits small_limits() {
  FramingLimits limits;
  limits.head = 512;
  limits.body = 2048;
  return limits;
}

struct Outcome {
  std::vector<std::pair<std::string, std::string>> requests;  // heads and bodies
  std::string refusal;                                        // of what follows
  bool operator==(const Outcome&) const = default;
};

// size_of(i): bytes of the i-th piece.
template <class SizeOf>
Outcome frame(std::string_view bytes, SizeOf size_of) {
  const FramingLimits limits = small_limits();
  RequestFramer framer(limits);
  Outcome outcome;
  try {
    for (size_t i = 0; !bytes.empty(); ++i) {
      const std::string_view piece = bytes.substr(0, size_of(i));
      bytes.remove_prefix(piece.size());
      framer.feed(piece);
      framer.path();
      if (framer.buffered() > limits.head + limits.body + 8 + piece.size()) std::abort();
      if (framer.in_body()) framer.take_expectation();
      while (framer.complete()) {
        std::string head = framer.take_head(), body = framer.take_body();
        if (head.size() > limits.head + 8 || body.size() > limits.body) std::abort();
        outcome.requests.emplace_back(std::move(head), std::move(body));
        framer.next();
      }
      if (framer.buffered() > limits.head + limits.body + 8) std::abort();
    }
  } catch (const Refusal& refusal) {
    outcome.refusal = std::to_string(static_cast<int>(refusal.reason)) + " " + refusal.message;
  }
  return outcome;
}

// Every dialect has to be able to say it.
template <class Read>
void refusable(Read read) {
  try {
    read();
  } catch (const Refusal& refusal) {
    if (refusal.message.empty() || refusal.message.size() > 1000) std::abort();
    for (const Dialect dialect : {Dialect::openai, Dialect::tei, Dialect::tgi})
      if (!nlohmann::json::accept(render(refusal, dialect, false).body)) std::abort();
  }
}

void read_fields(std::string_view body) {
  refusable([&] {
    const auto json = parse_body(body);
    if (!json.is_object()) return;  // refused by Call::body
    const Fields fields(json);
    refusable([&] { fields.flag("truncate", true); });
    refusable([&] {
      const int64_t n = fields.integer("dimensions", 3, 1, 4096);
      if (n < 1 || n > 4096) std::abort();
    });
    refusable([&] {
      const double d = fields.number("temperature", 1, 0, 100);
      if (!(d >= 0 && d <= 100)) std::abort();
    });
    refusable([&] { fields.need_text("model"); });
    refusable([&] {
      if (fields.texts("inputs", 4).size() > 4) std::abort();
    });
    refusable([&] {
      if (const auto inner = fields.object("parameters")) inner->integer("seed", 0, INT64_MIN, INT64_MAX);
    });
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = frame(bytes, [&](size_t) { return bytes.size(); });
  const size_t split = data[0];
  if (frame(bytes, [](size_t) { return size_t{1}; }) != whole) std::abort();
  if (frame(bytes, [&](size_t i) { return 1 + (split + i * 37) % 101; }) != whole) std::abort();
  for (const auto& [head, body] : whole.requests) read_fields(body);
  return 0;
}
