// Files of the reference library, and sharded folders.
#include "safetensors/safetensors.h"

#include <catch2/catch.hpp>

#include "format_bytes.h"

using namespace quern;
using namespace quern::test;

namespace {

const std::string fixtures = QUERN_TEST_DIR "/golden/formats";

template <class T>
T at(const StTensor& tensor, size_t i) {
  T value;
  REQUIRE((i + 1) * sizeof(T) <= tensor.data.size());
  std::memcpy(&value, tensor.data.data() + i * sizeof(T), sizeof(T));
  return value;
}

std::string one_tensor(const std::string& name, char fill) {
  const std::string header = "{\"" + name + R"(":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})";
  return Bytes().put<uint64_t>(header.size()).raw(header).raw(std::string(2, fill)).text;
}

void write_index(const ScratchFolder& folder, const std::string& map) {
  folder.write("model.safetensors.index.json", R"({"metadata":{"total_size":4},"weight_map":)" + map + "}");
}

}  // namespace

TEST_CASE("safetensors: a file of the reference writer") {
  const Safetensors st = Safetensors::open_file(fixtures + "/all.safetensors");
  CHECK(st.tensors().size() == 8);
  CHECK(st.metadata().at("format") == "pt");
  CHECK(st.metadata().at("note") == "Grüße");
  const StTensor& f32 = st.tensor("f32");
  CHECK(f32.dtype == "F32");
  CHECK(f32.shape == std::vector<int64_t>{3, 5});
  CHECK(f32.elements() == 15);
  for (size_t i = 0; i < 15; ++i) CHECK(at<float>(f32, i) == static_cast<float>(i) / 4 - 3);
  CHECK(at<int64_t>(st.tensor("i64"), 3) == -2);
  CHECK(at<uint8_t>(st.tensor("u8"), 4) == 4);
  CHECK(st.tensor("bool").dtype == "BOOL");
  CHECK(at<uint16_t>(st.tensor("bf16"), 0) == 0xc040);  // -3
  CHECK(at<uint16_t>(st.tensor("f16"), 0) == 0xc200);   // -3
  CHECK(st.tensor("scalar").shape.empty());
  CHECK(st.tensor("scalar").elements() == 1);
  CHECK(at<float>(st.tensor("scalar"), 0) == 2.5f);
  CHECK(st.tensor("empty").elements() == 0);
  CHECK(st.tensor("empty").data.empty());
  CHECK(st.find("none") == nullptr);
  CHECK(*f32.file == fixtures + "/all.safetensors");
  for (const StTensor& tensor : st.tensors()) st.release(tensor.data);
  CHECK(at<float>(f32, 0) == -3);
}

TEST_CASE("safetensors: a sharded folder, moved") {
  Safetensors opened = Safetensors::open_folder(fixtures + "/sharded");
  const Safetensors st = std::move(opened);
  CHECK(st.tensors().size() == 3);
  CHECK(st.files().size() == 2);
  CHECK(at<float>(st.tensor("c"), 2) == -2.5f);
  CHECK(st.tensor("c").file->ends_with("model-00002-of-00002.safetensors"));
  CHECK(st.tensor("b").shape == std::vector<int64_t>{2, 2});
}

TEST_CASE("safetensors: the single file wins over the index") {
  const ScratchFolder folder;
  folder.write("model.safetensors", one_tensor("a", 'x'));
  folder.write("model.safetensors.index.json", "broken");
  CHECK(Safetensors::open_folder(folder.path()).tensors().size() == 1);
}

TEST_CASE("safetensors: what is wrong with an index or its shards") {
  const ScratchFolder folder;
  folder.write("s1.safetensors", one_tensor("a", 'x'));
  folder.write("s2.safetensors", one_tensor("b", 'y'));
  folder.write("s3.safetensors", one_tensor("a", 'z'));
  folder.write("sub/s1.safetensors", one_tensor("a", 'x'));
  const auto status = [&](const std::string& map) {
    write_index(folder, map);
    return error_of([&] { Safetensors::open_folder(folder.path()); }).status;
  };
  CHECK(status(R"({"a":"s1.safetensors","b":"s2.safetensors"})") == Status::ok);
  CHECK(status(R"({"a":"s1.safetensors","b":"s1.safetensors"})") == Status::bad_file);  // not in that file
  CHECK(status(R"({"a":"s2.safetensors","b":"s1.safetensors"})") == Status::bad_file);
  CHECK(status(R"({"a":"s1.safetensors","x":"s3.safetensors"})") == Status::bad_file);  // a in two files
  CHECK(status(R"({"a":"s9.safetensors"})") == Status::not_found);
  for (const char* name : {"../s1.safetensors", "sub/s1.safetensors", "/etc/passwd", "..", ".", "", "sub\\\\s1",
                           "C:s1.safetensors", "a\\u0000b"}) {
    CAPTURE(name);
    CHECK(status(std::string(R"({"a":")") + name + "\"}") == Status::bad_file);
  }
  CHECK(status(R"({"a":"pytorch_model.bin"})") == Status::unsupported);
  for (const char* map : {"{}", "[]", "null", "7", R"({"a":7})", R"({"a":["s1.safetensors"]})"}) {
    CHECK(status(map) == Status::bad_file);
  }
  CHECK(status(std::string(100, '[')) == Status::bad_file);
}

TEST_CASE("safetensors: pickle files are refused by name") {
  const ScratchFolder folder;
  const Error none = error_of([&] { Safetensors::open_folder(folder.path()); });
  CHECK(none.status == Status::not_found);
  CHECK(none.message.find("no weights") != std::string::npos);
  folder.write("training_args.bin", "x");
  CHECK(error_of([&] { Safetensors::open_folder(folder.path()); }).status == Status::not_found);
  folder.write("pytorch_model.bin", "x");
  const Error pickle = error_of([&] { Safetensors::open_folder(folder.path()); });
  CHECK(pickle.status == Status::unsupported);
  CHECK(pickle.message.find(folder.path() + ": only pickle weights (pytorch_model.bin) were found") == 0);
  for (const char* name : {"m.bin", "m.pt", "m.pth", "m.ckpt", "m.pkl"}) {
    CHECK(error_of([&] { Safetensors::open_file(folder.file(name)); }).status == Status::unsupported);
  }
  CHECK(error_of([&] { Safetensors::open_file(folder.file("m.safetensors")); }).status == Status::not_found);
}
