#include "safetensors/torch_file.h"

#include <cstring>

#include "error.h"
#include "io/json.h"
#include "safetensors/pickle_values.h"

namespace quern {
namespace {

using Bytes = std::span<const std::byte>;

constexpr size_t max_entries = 20000;

// ZIP (PKWARE's APPNOTE 6.3): the entries of the central directory, stored without compression.
class Zip {
 public:
  Zip(Bytes bytes, const std::string& name) : bytes_(bytes), name_(name) {
    const size_t end = find_end();
    const size_t count = get<uint16_t>(end + 10);
    size_t at = get<uint32_t>(end + 16);
    if (count > max_entries) fail("more than 20000 entries");
    for (size_t i = 0; i < count; ++i) at = read_entry(at);
  }

  const Bytes* find(const std::string& entry) const {
    const auto found = entries_.find(entry);
    return found == entries_.end() ? nullptr : &found->second;
  }
  // What stands before "/data.pkl": the archive's folder.
  std::string folder() const {
    for (const auto& [entry, bytes] : entries_)
      if (entry.ends_with("/data.pkl")) return entry.substr(0, entry.size() - 9);
    fail("no data.pkl in it, which torch.save writes");
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Status::bad_file, name_ + ": a file of torch.save's: " + what);
  }

 private:
  template <class T>
  T get(size_t at) const {
    T value;
    if (at > bytes_.size() || bytes_.size() - at < sizeof(T)) fail("its ZIP directory points outside the file");
    std::memcpy(&value, bytes_.data() + at, sizeof(T));
    return value;
  }

  size_t find_end() const {
    constexpr size_t size = 22, max_comment = 65535;
    for (size_t back = size; back <= bytes_.size() && back <= size + max_comment; ++back)
      if (get<uint32_t>(bytes_.size() - back) == 0x06054b50) return bytes_.size() - back;
    fail("no ZIP directory");
  }

  size_t read_entry(size_t at) {
    if (get<uint32_t>(at) != 0x02014b50) fail("a broken ZIP directory");
    const size_t method = get<uint16_t>(at + 10), packed = get<uint32_t>(at + 20), size = get<uint32_t>(at + 24);
    const size_t name = get<uint16_t>(at + 28), extra = get<uint16_t>(at + 30), comment = get<uint16_t>(at + 32);
    const size_t header = get<uint32_t>(at + 42), next = at + 46 + name + extra + comment;
    if (next > bytes_.size()) fail("its ZIP directory points outside the file");
    const std::string entry(reinterpret_cast<const char*>(bytes_.data()) + at + 46, name);
    if (method != 0 || packed != size)
      throw Error(Status::unsupported, name_ + ": the entry " + printable(entry) + " is compressed");
    if (get<uint32_t>(header) != 0x04034b50) fail("the entry " + printable(entry) + " points outside the file");
    const size_t data = header + 30 + get<uint16_t>(header + 26) + get<uint16_t>(header + 28);
    if (data > bytes_.size() || bytes_.size() - data < size)
      fail("the entry " + printable(entry) + " points outside the file");
    if (!entries_.emplace(entry, bytes_.subspan(data, size)).second) fail("two entries " + printable(entry));
    return next;
  }

  Bytes bytes_;
  const std::string& name_;
  std::map<std::string, Bytes> entries_;
};

size_t dtype_bytes(const std::string& dtype) {
  return safetensors_dtype_bits(dtype) / 8;
}

// A tensor's view of its storage, contiguous and inside it.
StTensor view(const Zip& zip, const std::string& folder, const std::string& name, const PickledTensor& t) {
  const Bytes* storage = zip.find(folder + "/data/" + t.storage);
  if (!storage) zip.fail("the storage " + printable(t.storage) + " of tensor " + printable(name) + " is missing");
  uint64_t elements = 1;
  for (size_t i = t.shape.size(); i-- > 0;) {
    if (t.stride[i] != static_cast<int64_t>(elements) && t.shape[i] > 1)
      zip.fail("tensor " + printable(name) + " is not contiguous");
    if (t.shape[i] < 0 || t.shape[i] > int64_t{1} << 31 || (elements *= static_cast<uint64_t>(t.shape[i])) > 1ull << 40)
      zip.fail("tensor " + printable(name) + " has an impossible shape");
  }
  const size_t size = dtype_bytes(t.dtype);
  if (t.offset < 0 || static_cast<uint64_t>(t.offset) > storage->size() / size ||
      elements > storage->size() / size - static_cast<uint64_t>(t.offset))
    zip.fail("tensor " + printable(name) + " reaches beyond its storage");
  StTensor tensor;
  tensor.name = name;
  tensor.dtype = t.dtype;
  tensor.shape = t.shape;
  tensor.data = storage->subspan(static_cast<size_t>(t.offset) * size, static_cast<size_t>(elements) * size);
  return tensor;
}

}  // namespace

Safetensors read_torch_file(Bytes bytes, const std::string& name, const std::string& prefix) {
  const Zip zip(bytes, name);
  const std::string folder = zip.folder();
  if (const Bytes* order = zip.find(folder + "/byteorder");
      order && std::string(reinterpret_cast<const char*>(order->data()), order->size()) != "little")
    throw Error(Status::unsupported, name + ": numbers in another byte order than little-endian");
  std::vector<StTensor> tensors;
  for (const auto& [key, tensor] : read_state_dict(*zip.find(folder + "/data.pkl"), name))
    tensors.push_back(view(zip, folder, prefix + key, tensor));
  return Safetensors::from_tensors(std::move(tensors), name);
}

Safetensors open_torch_file(const std::string& path, const std::string& prefix) {
  MappedFile map = MappedFile::open(path);
  Safetensors file = read_torch_file(map.bytes(), path, prefix);
  file.keep(std::move(map));
  return file;
}

}  // namespace quern
