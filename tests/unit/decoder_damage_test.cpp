// Decoders' model files with every number of their metadata broken: an Error that says what is wrong, or a model that
// runs; never a crash.
#include <catch2/catch.hpp>

#include "../golden/tiny_decoders.h"

namespace quern::test {
namespace {

// What goes wrong is an Error when the file is loaded or the generator made, or a sequence that ends with one.
void try_decoder(const std::string& path, size_t& errors) {
  try {
    const std::shared_ptr<const LoadedModel> model = load_model(path);
    const int64_t context = std::min<int64_t>(64, model->model->positions());
    Generator generator(model, {.threads = 1, .context = context});
    Request request;
    for (int64_t i = 0; i < std::min<int64_t>(40, context - 1); ++i)
      request.prompt.push_back(static_cast<int32_t>(i % model->model->vocabulary()));
    request.max_tokens = 2;
    request.sampling.temperature = 0;
    generator.add(std::move(request));
    std::vector<Generated> out;
    while (generator.running() > 0) generator.step(out);
    if (out.back().finish == Finish::error) ++errors;
  } catch (const Error& e) {
    ++errors;
    if (e.message.empty() || e.status == Status::internal || e.status == Status::ok) FAIL("a bad error: " << e.message);
  }
}

struct Place {
  std::string what;
  size_t at, bytes;
  uint64_t value;
};

// Every integer of a file's metadata: keys, a tensor's number of dimensions, extents, type and offset.
std::vector<Place> numbers_of(const std::string& bytes) {
  const GgufReader file(as_bytes(bytes), "numbers");
  std::vector<Place> all;
  const auto add = [&](const std::string& what, size_t at, size_t n) {
    uint64_t value = 0;
    std::memcpy(&value, &bytes[at], n);
    all.push_back({what, at, n, value});
  };
  for (const GgufKey& key : file.keys()) {
    const size_t at = static_cast<size_t>(reinterpret_cast<const char*>(key.value.data()) - bytes.data());
    const bool number = key.type != GgufValueType::string && key.type != GgufValueType::array;
    if (number && key.value.size() >= 4) add(std::string(key.name), at, key.value.size());
  }
  for (const TensorInfo& t : file.tensors()) {
    const std::string name(t.name);
    size_t at = static_cast<size_t>(t.name.data() - bytes.data()) + name.size();
    add(name + " dimensions", at, 4);
    at += 4;
    for (uint32_t i = 0; i < t.n_dims; ++i, at += 8) add(name + " extent", at, 8);
    add(name + " type", at, 4);
    add(name + " offset", at + 4, 8);
  }
  return all;
}

void break_every_number(const std::string& bytes, const std::string& name) {
  ScratchFolder scratch;
  scratch.write("whole", bytes);
  size_t errors = 0, runs = 0;
  try_decoder(scratch.file("whole"), errors);
  REQUIRE(errors == 0);
  for (const Place& place : numbers_of(bytes)) {
    const uint64_t most = place.bytes == 8 ? UINT64_MAX : UINT32_MAX, half = most / 2 + 1;
    // 0, small, next to it, the largest of its size, signed and not, and what wraps when multiplied.
    for (const uint64_t value :
         {uint64_t{0}, uint64_t{1}, uint64_t{2}, place.value - 1, place.value + 1, place.value * 2, most, half,
          half - 1, half / 2, place.value + half, most / 3 * 2, uint64_t{1} << 31, uint64_t{1} << 16}) {
      std::string changed = bytes;
      std::memcpy(&changed[place.at], &value, place.bytes);
      scratch.write("changed", changed);
      INFO(name << ": " << place.what << " = " << value << ", was " << place.value);
      try_decoder(scratch.file("changed"), errors);
      ++runs;
    }
  }
  CHECK(errors > runs / 4);
}

}  // namespace

TEST_CASE("damage: every number of a converted decoder's metadata", "[slow]") {
  for (const auto& [name, type] : std::vector<std::pair<std::string, std::string>>{
           {"llama", "q8_0"}, {"gemma2", "q8"}, {"gemma3", "f32"}, {"phi3_longrope", "q4"}}) {
    ScratchFolder scratch;
    break_every_number(read_text_file(convert_to(scratch, type, decoder_folder(name)), 1 << 24), name + ' ' + type);
  }
}

TEST_CASE("damage: every number of llama.cpp's decoder files with every type of block", "[slow]") {
  for (const std::string name : {"llama", "gemma3"})
    break_every_number(read_text_file(QUERN_TEST_DIR "/fuzz/corpus/decoder/" + name, 1 << 24), name);
}

TEST_CASE("damage: decoders cut short never load") {
  const std::string bytes = read_text_file(QUERN_TEST_DIR "/fuzz/corpus/decoder/llama", 1 << 24);
  ScratchFolder scratch;
  for (size_t n = 0; n < bytes.size(); n += 97) {
    scratch.write("cut", bytes.substr(0, n));
    const Error e = error_of([&] { load_model(scratch.file("cut")); });
    if (e.status != Status::bad_file) FAIL("cut to " << n << " of " << bytes.size() << " bytes: " << e.message);
  }
}

TEST_CASE("damage: any bytes as a decoder's weights end a sequence at worst", "[hostile]") {
  for (const char* type : {"q8", "q4", "q8_0", "q4_0", "f16", "f32"}) {
    ScratchFolder scratch;
    std::string bytes = read_text_file(convert_to(scratch, type, decoder_folder("llama")), 1 << 24);
    const size_t begin = GgufReader(as_bytes(bytes), "weights").data_offset();
    uint32_t seed = 1;
    for (size_t i = begin; i < bytes.size(); ++i)
      bytes[i] = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
    scratch.write("changed", bytes);
    INFO(type);
    size_t errors = 0;
    try_decoder(scratch.file("changed"), errors);
    CHECK(load_model(scratch.file("changed")));
  }
}

}  // namespace quern::test
