// Files of torch.save's: what is read of them, and hostile ones. A pickle is a program; none of it may run.
#include "safetensors/torch_file.h"

#include <catch2/catch.hpp>

#include "format_bytes.h"
#include "io/mapped_file.h"
#include "quants/half.h"

using namespace quern;
using namespace quern::test;
using Catch::Contains;

namespace {

struct Entry {
  std::string name, data;
  uint16_t method = 0;
};

// A ZIP archive, as torch.save lays it out but for the alignment.
std::string zip(const std::vector<Entry>& entries) {
  Bytes file, directory;
  for (const Entry& e : entries) {
    const uint32_t at = static_cast<uint32_t>(file.text.size()), size = static_cast<uint32_t>(e.data.size());
    const uint16_t name = static_cast<uint16_t>(e.name.size());
    const auto common = [&](Bytes& to) {
      to.put<uint16_t>(0).put<uint16_t>(0).put(e.method).put<uint32_t>(0).put<uint32_t>(0).put(size).put(size);
      to.put(name).put<uint16_t>(0);
    };
    common(file.put<uint32_t>(0x04034b50));
    file.raw(e.name).raw(e.data);
    common(directory.put<uint32_t>(0x02014b50).put<uint16_t>(0));
    directory.put<uint16_t>(0).put<uint16_t>(0).put<uint16_t>(0).put<uint32_t>(0).put(at).raw(e.name);
  }
  const uint32_t at = static_cast<uint32_t>(file.text.size()), size = static_cast<uint32_t>(directory.text.size());
  const uint16_t n = static_cast<uint16_t>(entries.size());
  file.raw(directory.text).put<uint32_t>(0x06054b50).put<uint16_t>(0).put<uint16_t>(0).put(n).put(n);
  return file.put(size).put(at).put<uint16_t>(0).text;
}

std::string text(const std::string& value) {
  return Bytes().raw("X").put<uint32_t>(static_cast<uint32_t>(value.size())).raw(value).text;
}
std::string number(int32_t value) {
  return Bytes().raw("J").put(value).text;
}
std::string tuple(const std::vector<int32_t>& values) {
  std::string all = "(";
  for (const int32_t v : values) all += number(v);
  return all + "t";
}

struct Described {
  std::string storage_class = "torch\nFloatStorage", storage = "0";
  int32_t offset = 0;
  std::vector<int32_t> shape = {2, 3}, stride = {3, 1};
};
std::string tensor(const Described& d) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "c" + d.storage_class + "\n" + text(d.storage) +
         text("cpu") + number(6) + "tQ" + number(d.offset) + tuple(d.shape) + tuple(d.stride) +
         "\x89"
         "ccollections\nOrderedDict\n)RtR";
}
std::string state_dict(const std::string& tensors) {
  return "\x80\x02}(" + tensors + "u.";
}
std::string file_of(const std::string& pickle, const std::string& storage = std::string(24, '\1')) {
  return zip({{"a/data.pkl", pickle}, {"a/byteorder", "little"}, {"a/data/0", storage}});
}
std::string file_of(const Described& d) {
  return file_of(state_dict(text("weight") + tensor(d)));
}

Error torch_error(const std::string& bytes) {
  return error_of([&] { read_torch_file(as_bytes(bytes), "head.pt", "linear."); });
}
Error pickle_error(const std::string& pickle) {
  return torch_error(file_of(pickle));
}
void check_error(const std::string& bytes, Status status, const std::string& says) {
  const Error e = torch_error(bytes);
  CAPTURE(e.message, says);
  CHECK(e.status == status);
  CHECK_THAT(e.message, Contains("head.pt") && Contains(says));
}

std::string torch_fixture(const char* name) {
  return read_text_file(std::string(QUERN_TEST_DIR "/golden/models/xlm-roberta/") + name, 1 << 20);
}

}  // namespace

TEST_CASE("torch file: what torch.save wrote") {
  const std::string bytes = torch_fixture("sparse_linear.pt");
  const Safetensors file = read_torch_file(as_bytes(bytes), "head.pt", "linear.");
  REQUIRE(file.tensors().size() == 2);
  CHECK(file.tensor("linear.weight").shape == std::vector<int64_t>{1, 32});
  CHECK(file.tensor("linear.weight").dtype == "F16");
  CHECK(file.tensor("linear.weight").data.size() == 64);
  CHECK(file.tensor("linear.bias").shape == std::vector<int64_t>{1});
  const std::string colbert = torch_fixture("colbert_linear.pt");
  CHECK(read_torch_file(as_bytes(colbert), "head.pt", "").tensor("weight").shape == std::vector<int64_t>{8, 32});
}

TEST_CASE("torch file: views of a storage, storage classes, parameters") {
  const std::string storage = Bytes().put(1.f).put(2.f).put(3.f).put(4.f).put(5.f).put(6.f).text;
  const auto data_of = [&](const std::string& pickle) {
    const std::string bytes = file_of(pickle, storage);
    const Safetensors file = read_torch_file(as_bytes(bytes), "head.pt", "");
    const auto data = file.tensor("w").data;
    return std::string(reinterpret_cast<const char*>(data.data()), data.size());
  };
  CHECK(data_of(state_dict(text("w") + tensor({}))) == storage);
  CHECK(data_of(state_dict(text("w") + tensor({.offset = 2, .shape = {4}, .stride = {1}}))) == storage.substr(8));
  CHECK(data_of(state_dict(text("w") + tensor({.shape = {}, .stride = {}}))) == storage.substr(0, 4));
  CHECK(data_of(state_dict(text("w") + tensor({.offset = 6, .shape = {0, 3}}))).empty());
  CHECK(data_of(state_dict(text("w") + tensor({.shape = {1, 3}, .stride = {77, 1}}))) == storage.substr(0, 12));
  for (const char* half : {"torch\nHalfStorage", "torch\nBFloat16Storage"})
    CHECK(data_of(state_dict(text("w") + tensor({.storage_class = half}))) == storage.substr(0, 12));
  const std::string parameter = "ctorch._utils\n_rebuild_parameter\n(" + tensor({}) + "\x89)tR";
  CHECK(data_of(state_dict(text("w") + parameter)) == storage);
  // What is no tensor is a module's metadata; one by one; attributes by BUILD.
  CHECK(data_of("\x80\x02}" + text("version") + number(1) + "s" + text("w") + tensor({}) + "s}b.") == storage);
}

TEST_CASE("torch file: a pickle that asks for more is refused by name, and not executed") {
  const auto refused = [](const std::string& pickle, const std::string& says) {
    check_error(file_of(pickle), Status::unsupported, says);
  };
  refused(
      "\x80\x02"
      "cos\nsystem\n" +
          text("touch pwned") + "\x85R.",
      "os system");
  refused(
      "\x80\x02"
      "cposix\nsystem\n" +
          text("x") + "\x85R.",
      "posix system");
  refused(
      "\x80\x02"
      "c__builtin__\neval\n" +
          text("1") + "\x85R.",
      "__builtin__ eval");
  refused(
      "\x80\x02"
      "cbuiltins\neval\n" +
          text("1") + "\x85R.",
      "builtins eval");
  refused(state_dict(text("w") + "ctorch\nload\n)R"), "torch load");
  refused(state_dict(text("w") + tensor({.storage_class = "torch\nLongStorage"})), "torch LongStorage");
  refused(
      "\x80\x02"
      "ctorch\nFloatStorage\n)R.",
      "torch FloatStorage");  // known, but no function
  refused("\x80\x04\x95", "protocol");
  for (const int op : std::initializer_list<int>{'i', 'o', 0x81, 0x82, 0x83, 0x84, 0x92, 0x93, 'P', 'S', 'I', 'V', 'g',
                                                 'p', 0x8a, 'e', 'a', 0, 255})
    refused(std::string("\x80\x02}") + static_cast<char>(op), "instruction " + std::to_string(op));
  CHECK_THAT(pickle_error("cos\nsystem\n.").message, Contains("nothing was executed"));
}

TEST_CASE("torch file: pickles that make no sense") {
  for (const std::string& pickle : std::vector<std::string>{"",
                                                            ".",
                                                            "}",
                                                            "\x80",
                                                            "N.",
                                                            "].",
                                                            "0",
                                                            "t.",
                                                            "(.",
                                                            "R.",
                                                            "Q.",
                                                            "u.",
                                                            "}u.",
                                                            "}(",
                                                            "}(Ku.",
                                                            "}(NNu",
                                                            "s.",
                                                            "}s.",
                                                            "})s.",
                                                            "h\1.",
                                                            "q\1.",
                                                            "j",
                                                            "X",
                                                            "X\xff\xff\xff\xff",
                                                            "cos",
                                                            "cos\n",
                                                            "b.",
                                                            ")Q.",
                                                            "(NNNNNtQ.",
                                                            ")R.",
                                                            "))R.",
                                                            "))))\x87",
                                                            "}NR.",
                                                            "ccollections\nOrderedDict\nNR.",
                                                            "ctorch._utils\n_rebuild_tensor_v2\n)R.",
                                                            state_dict("N" + tensor({})),
                                                            state_dict(text("w")),
                                                            text("w") + "."}) {
    CAPTURE(pickle);
    const Error e = pickle_error(pickle);
    CHECK((e.status == Status::bad_file || e.status == Status::unsupported));
  }
  check_error(file_of("c" + std::string(1000, 'a') + "\n\n."), Status::bad_file, "256 bytes");
  check_error(file_of(std::string((16 << 20) + 1, 'N')), Status::bad_file, "16 MB");
}

TEST_CASE("torch file: pickles that grow") {
  check_error(file_of(std::string(100000, 'N') + "."), Status::bad_file, "too many values");
  std::string deep = ")";
  for (int i = 0; i < 100000; ++i) deep += '\x85';
  check_error(file_of(deep + "."), Status::bad_file, "too deep");
  std::string doubled = ")q";  // each level twice the one before
  doubled += '\0';
  for (int i = 0; i < 64; ++i) doubled += std::string("h\0h\0\x86q\0", 7);
  check_error(file_of(doubled + "."), Status::bad_file, "too deep");
  // Values that hide in tuples, and long names that many tensors share.
  std::string hidden;
  for (int i = 0; i < 20; ++i) hidden += "(" + std::string(60000, ')') + "t";
  check_error(file_of(hidden + "."), Status::bad_file, "too many values");
  check_error(file_of(state_dict(text(std::string(100000, 'n')) + tensor({}))), Status::bad_file, "1024 bytes");
  check_error(file_of(state_dict(text("w") + tensor({.storage = std::string(100000, '0')}))), Status::bad_file,
              "1024 bytes");
  std::string many = "}";
  for (int i = 0; i < 3; ++i) {  // tensors of all dictionaries count, those that are dropped too
    many += "}(";
    for (int k = 0; k < 4000; ++k)
      many +=
          i + k == 0 ? text("0") + tensor({}) + std::string("q\0", 2) : text(std::to_string(k)) + std::string("h\0", 2);
    many += "u";
  }
  check_error(file_of(many + "."), Status::bad_file, "10000 tensors");
}

TEST_CASE("torch file: tensors that do not fit their storage") {
  const std::string storage = "reaches beyond its storage";
  check_error(file_of(Described{.shape = {2, 4}, .stride = {4, 1}}), Status::bad_file, storage);
  check_error(file_of(Described{.offset = 1}), Status::bad_file, storage);
  check_error(file_of(Described{.offset = -1}), Status::bad_file, storage);
  check_error(file_of(Described{.offset = INT32_MAX, .shape = {1}, .stride = {1}}), Status::bad_file, storage);
  check_error(file_of(Described{.offset = 7, .shape = {0}, .stride = {1}}), Status::bad_file, storage);
  check_error(file_of(Described{.shape = {INT32_MAX}, .stride = {1}}), Status::bad_file, storage);
  check_error(file_of(Described{.shape = {-2, 3}}), Status::bad_file, "impossible shape");
  check_error(file_of(Described{.shape = {2, -3}, .stride = {-3, 1}}), Status::bad_file, "");
  check_error(file_of(Described{.shape = {INT32_MAX, INT32_MAX}, .stride = {INT32_MAX, 1}}), Status::bad_file,
              "impossible shape");
  check_error(file_of(Described{.shape = {3, 2}, .stride = {1, 3}}), Status::bad_file, "not contiguous");
  check_error(file_of(Described{.shape = {6}, .stride = {0}}), Status::bad_file, "not contiguous");
  check_error(file_of(Described{.shape = {6}, .stride = {-1}}), Status::bad_file, "not contiguous");
  check_error(file_of(Described{.shape = {2, 3}, .stride = {1}}), Status::bad_file, "differ in length");
  check_error(file_of(Described{.shape = {1, 1, 1, 1, 1, 1, 1, 1, 1}, .stride = {1}}), Status::bad_file, "up to 8");
  check_error(file_of(Described{.storage = "7"}), Status::bad_file, "the storage 7");
  check_error(file_of(Described{.storage = "../data.pkl"}), Status::bad_file, "is missing");
}

TEST_CASE("torch file: archives") {
  const std::string pickle = state_dict(text("w") + tensor({})), data(24, '\1');
  check_error("", Status::bad_file, "no ZIP directory");
  check_error(std::string(100000, 'P'), Status::bad_file, "no ZIP directory");
  check_error(zip({}), Status::bad_file, "no data.pkl");
  check_error(zip({{"data.pkl", pickle}, {"data/0", data}}), Status::bad_file, "no data.pkl");
  check_error(zip({{"a/data.pkl", pickle}}), Status::bad_file, "the storage");
  check_error(zip({{"a/data.pkl", pickle}, {"a/data/0", data}, {"a/data/0", data}}), Status::bad_file, "two entries");
  check_error(zip({{"a/data.pkl", pickle}, {"a/data/0", data, 8}}), Status::unsupported, "compressed");
  check_error(zip({{"a/data.pkl", pickle}, {"a/byteorder", "big"}, {"a/data/0", data}}), Status::unsupported,
              "byte order");
  CHECK(torch_error(zip({{"a/data.pkl", pickle}, {"a/data/0", data}})).status == Status::ok);
  CHECK(error_of([] { open_torch_file("no/such.pt", ""); }).status == Status::not_found);
}

TEST_CASE("torch file: cut at every byte, and flipped bytes, never do more than throw") {
  for (const char* name : {"sparse_linear.pt", "colbert_linear.pt"}) {
    const std::string bytes = torch_fixture(name);
    for (size_t size = 0; size < bytes.size(); ++size) {
      const Error e = torch_error(bytes.substr(0, size));
      REQUIRE(e.status == Status::bad_file);
      REQUIRE_THAT(e.message, Contains("head.pt"));
    }
    for (size_t i = 0; i < bytes.size(); ++i) {
      for (const int flip : {0x01, 0x10, 0x80, 0xff}) {
        std::string changed = bytes;
        changed[i] = static_cast<char>(changed[i] ^ flip);
        const Error e = torch_error(changed);
        REQUIRE((e.status == Status::ok || e.status == Status::bad_file || e.status == Status::unsupported));
      }
    }
  }
}
