// Model files that are cut short, bit-flipped or patched: an Error that says what is wrong, or a model that runs; never
// a crash.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <random>

#include "../golden/tiny_bert.h"
#include "gguf/reader.h"

namespace quern::test {
namespace {

using Catch::Contains;

struct ModelFile {
  explicit ModelFile(const std::string& type) : path(convert_to(scratch, type)), bytes(read_text_file(path, 1 << 24)) {
    data_offset = GgufReader(as_bytes(bytes), path).data_offset();
  }
  // Where a name, a key or tensor, stands in the metadata: just behind its length.
  size_t find(const std::string& name) const {
    const size_t at = bytes.find(Bytes{}.string(name).text);
    REQUIRE(at < data_offset);
    return at + 8;
  }
  Error load(const std::string& changed) const {
    scratch.write("changed", changed);
    return error_of([&] { load_model(scratch.file("changed")); });
  }
  Error load_with(size_t at, std::string_view patch) const {
    std::string changed = bytes;
    changed.replace(at, patch.size(), patch);
    return load(changed);
  }

  ScratchFolder scratch;
  std::string path, bytes;
  size_t data_offset = 0;
};

// Loads and, where that works, embeds: offsets that passed must be safe to use.
void try_model(const std::string& path, size_t& errors) {
  try {
    Embedder model(path);
    model({"the quick fox", "", "cosine similarity costs"});
  } catch (const Error& e) {
    ++errors;
    if (e.message.empty() || e.status == Status::internal || e.status == Status::ok) FAIL("a bad error: " << e.message);
  }
}

}  // namespace

TEST_CASE("damage: a file cut short never loads") {
  for (const char* type : {"q8", "f32"}) {
    const ModelFile file(type);
    std::vector<size_t> lengths = {0, 1, 3, 4, 8, 24, file.data_offset - 1, file.data_offset, file.bytes.size() - 1};
    for (size_t n = 5; n < file.bytes.size(); n += file.bytes.size() / 300) lengths.push_back(n);
    for (const size_t n : lengths) {
      const Error e = file.load(file.bytes.substr(0, n));
      if (e.status == Status::bad_file && e.message.find("changed") != std::string::npos) continue;
      FAIL(type << " cut to " << n << " of " << file.bytes.size() << " bytes: " << e.message);
    }
  }
}

TEST_CASE("damage: flipped bytes in the metadata give an Error or a model that runs") {
  for (const char* type : {"q8", "q4", "f32"}) {
    const ModelFile file(type);
    const int fd = open(file.path.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0);
    std::mt19937 random(11);
    size_t errors = 0, runs = 0;
    for (int i = 0; i < 1500; ++i) {
      // Half of them where the structure is dense: the header, and the tensor table at the end.
      const size_t at = i % 2 ? random() % file.data_offset
                              : (random() % 2 ? random() % 2048 : file.data_offset - 1 - random() % 8192);
      const char byte = static_cast<char>(i % 3 ? file.bytes[at] ^ (1 << random() % 8) : static_cast<int>(random()));
      REQUIRE(pwrite(fd, &byte, 1, static_cast<off_t>(at)) == 1);
      INFO(type << ", byte " << at << " = " << static_cast<int>(byte));
      try_model(file.path, errors);
      ++runs;
      REQUIRE(pwrite(fd, &file.bytes[at], 1, static_cast<off_t>(at)) == 1);
    }
    close(fd);
    CHECK(errors > runs / 10);
    CHECK(load_model(file.path));  // back to what it was
  }
}

TEST_CASE("damage: any bytes as weights run", "[hostile]") {
  for (const char* type : {"q8", "q4", "q8_0", "q4_0", "f16"}) {
    const ModelFile file(type);
    std::mt19937 random(3);
    std::string changed = file.bytes;
    for (size_t i = file.data_offset; i < changed.size(); ++i) changed[i] = static_cast<char>(random());
    file.scratch.write("changed", changed);
    const Error e = error_of([&] { Embedder(file.scratch.file("changed"))({"the quick fox", "costs"}); });
    INFO(type << ": " << e.message);  // random scales are often infinite
    CHECK((e.status == Status::ok || e.message.find("not finite") != std::string::npos));
  }
}

TEST_CASE("damage: a tensor is missing, of another shape or type") {
  const ModelFile file("q8");
  const struct {
    const char* tensor;
    const char* shape;  // as the message has it
  } tensors[] = {{"token_embd.weight", "633"},
                 {"blk.1.attn_qkv.q8", "expected"},
                 {"blk.1.attn_qkv.q8.scale", "192"},
                 {"blk.2.ffn_down.bias", "[64]"},
                 {"blk.0.layer_output_norm.weight", "[64]"}};
  for (const auto& t : tensors) {
    const std::string name = t.tensor;
    const size_t at = file.find(name);
    Error e = file.load_with(at, "X");
    INFO(name << ": " << e.message);
    CHECK(e.status == Status::bad_file);
    if (name != "blk.1.attn_qkv.q8") CHECK_THAT(e.message, Contains("changed") && Contains(name));

    // Behind the name: u32 dimensions, then an u64 extent each. One less keeps the data inside of the file.
    uint64_t extent;
    std::memcpy(&extent, &file.bytes[at + name.size() + 4], 8);
    --extent;
    e = file.load_with(at + name.size() + 4, Bytes{}.put(extent).text);
    INFO("shape: " << e.message);
    CHECK(e.status == Status::bad_file);
    CHECK_THAT(e.message, Contains("changed") && Contains(name));

    uint32_t dims;
    std::memcpy(&dims, &file.bytes[at + name.size()], 4);
    const size_t type_at = at + name.size() + 4 + 8 * dims;
    e = file.load_with(type_at, Bytes{}.put<uint32_t>(26).text);  // I32
    INFO("type: " << e.message);
    CHECK((e.status == Status::bad_file || e.status == Status::unsupported));
    CHECK_THAT(e.message, Contains("changed"));  // names the tensor or, if its size differs now, the next one
    e = file.load_with(type_at + 4, Bytes{}.put<uint64_t>(uint64_t{1} << 40).text);
    INFO("offset: " << e.message);
    CHECK(e.status == Status::bad_file);
    CHECK_THAT(e.message, Contains(name));
  }
}

TEST_CASE("damage: keys that are missing or contradict") {
  const ModelFile file("q8");
  const struct {
    const char* key;
    int64_t value;  // of an u32
    Status status;
    const char* says;
  } cases[] = {
      {"bert.embedding_length", 65, Status::bad_file, "65"},
      {"bert.embedding_length", 128, Status::bad_file, "128"},
      {"bert.attention.head_count", 0, Status::bad_file, "head_count"},
      {"bert.attention.head_count", 7, Status::bad_file, "7"},
      {"bert.block_count", 4, Status::bad_file, "blk.3."},
      {"bert.block_count", 4000000000, Status::bad_file, "block_count"},
      {"bert.feed_forward_length", 128, Status::bad_file, "ffn_up"},
      {"bert.context_length", 0, Status::bad_file, "context_length"},
      {"bert.vocab_size", 700, Status::bad_file, "token_embd"},
      {"quern.layout_version", 99, Status::unsupported, "99"},
  };
  for (const auto& c : cases) {
    const size_t at = file.find(c.key) + std::strlen(c.key) + 4;  // behind the type
    const Error e = file.load_with(at, Bytes{}.put(static_cast<uint32_t>(c.value)).text);
    INFO(c.key << " = " << c.value << ": " << e.message);
    CHECK(e.status == c.status);
    CHECK_THAT(e.message, Contains("changed") && Contains(c.says));
  }
  for (const char* key : {"general.architecture", "bert.embedding_length", "quern.pipeline", "quern.type",
                          "quern.tokenizer.json", "quern.tokenizer.pieces", "quern.tokenizer.piece_ends",
                          "quern.tokenizer.piece_slots", "quern.tokenizer.continuing_slots"}) {
    const Error e = file.load_with(file.find(key), "X");
    INFO(key << ": " << e.message);
    CHECK(e.status == Status::bad_file);
    CHECK_THAT(e.message, Contains("changed") && Contains(key));
  }
  const Error e = file.load_with(file.find("general.architecture") + std::strlen("general.architecture") + 12, "bart");
  CHECK(e.status == Status::unsupported);
  CHECK_THAT(e.message, Contains("bart") && Contains("bert"));
}

TEST_CASE("damage: files that are something else") {
  ScratchFolder scratch;
  const auto error = [&](std::string_view bytes) {
    scratch.write("other", bytes);
    return error_of([&] { load_model(scratch.file("other")); });
  };
  for (const std::string text : {"", "GGUF", "not a model", "{\"a\": 1}", "PK\3\4"}) {
    const Error e = error(text);
    CHECK(e.status == Status::bad_file);
    CHECK_THAT(e.message, Contains("other"));
  }
  const std::string folder = tiny_bert();
  const Error e = error_of([&] { load_model(folder + "/model.safetensors"); });
  INFO(e.message);
  CHECK(e.status != Status::ok);
  CHECK_THAT(e.message, Contains("model.safetensors"));
}

}  // namespace quern::test
