#include "safetensors/pickle_values.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "error.h"
#include "io/json.h"

namespace quern {
namespace {

constexpr size_t max_pickle = size_t{16} << 20, max_stack = 1 << 16, max_memo = 1 << 16, max_tensors = 10000;
constexpr size_t max_values = 1 << 18, max_text = 1024;  // values share texts, which would multiply long ones
constexpr int max_tuple_depth = 16;

struct Value;
using Ref = std::shared_ptr<const Value>;

struct Value {
  enum Kind { mark, nothing, integer, text, name, tuple, dict, storage, tensor } kind = nothing;
  int64_t number = 0;
  std::string text_value;                                         // text, name ("module attribute"), storage (its key)
  std::string dtype;                                              // storage
  std::vector<Ref> items;                                         // tuple
  std::shared_ptr<std::map<std::string, PickledTensor>> entries;  // dict; what is no tensor is left out
  PickledTensor tensor_value;
  int depth = 0;
};

struct Known {
  const char* name;
  const char* dtype;  // of a storage class
};
constexpr Known kStorages[] = {
    {"torch HalfStorage", "F16"}, {"torch FloatStorage", "F32"}, {"torch BFloat16Storage", "BF16"}};
constexpr const char* kDict = "collections OrderedDict";
constexpr const char* kTensor = "torch._utils _rebuild_tensor_v2";
constexpr const char* kParameter = "torch._utils _rebuild_parameter";

// Follows the instructions of pickle's protocol 2 (Lib/pickletools.py documents them) over values that can do nothing.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  std::map<std::string, PickledTensor> run() {
    if (bytes_.size() > max_pickle) fail("more than 16 MB");
    while (true) {
      const uint8_t op = get<uint8_t>();
      if (op == '.') break;
      step(op);
      if (stack_.size() > max_stack || memo_.size() > max_memo) fail("too many values");
    }
    const Ref result = pop();
    if (result->kind != Value::dict) fail("no state_dict in it");
    return *result->entries;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Status::bad_file, name_ + ": the pickle in it: " + what);
  }
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Status::unsupported, name_ + ": the pickle in it asks for " + what +
                                         ", which is more than a state_dict needs; nothing was executed");
  }

  template <class T>
  T get() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view take(size_t n) {
    if (n > bytes_.size() - at_) fail("it ends within an instruction");
    at_ += n;
    return {reinterpret_cast<const char*>(bytes_.data()) + at_ - n, n};
  }
  std::string line() {
    const size_t begin = at_;
    while (get<char>() != '\n')
      if (at_ - begin > 256) fail("a name of more than 256 bytes");
    return {reinterpret_cast<const char*>(bytes_.data()) + begin, at_ - 1 - begin};
  }

  void push(Value value) {
    if (++values_ > max_values) fail("too many values");
    stack_.push_back(std::make_shared<const Value>(std::move(value)));
  }
  std::string text() {
    const uint32_t n = get<uint32_t>();
    if (n > max_text) fail("a text of more than 1024 bytes");
    return std::string(take(n));
  }
  void push(Value::Kind kind, int64_t number, std::string text) {
    Value v;
    v.kind = kind, v.number = number, v.text_value = std::move(text);
    push(std::move(v));
  }
  Ref pop() {
    if (stack_.empty()) fail("an instruction finds no value");
    Ref top = std::move(stack_.back());
    stack_.pop_back();
    return top;
  }
  void push_tuple(std::vector<Ref> items) {
    Value v;
    v.kind = Value::tuple;
    for (const Ref& item : items) v.depth = std::max(v.depth, item->depth + 1);
    if (v.depth > max_tuple_depth) fail("tuples too deep in each other");
    v.items = std::move(items);
    push(std::move(v));
  }
  std::vector<Ref> pop_to_mark() {
    std::vector<Ref> items;
    while (true) {
      Ref top = pop();
      if (top->kind == Value::mark) break;
      items.push_back(std::move(top));
    }
    std::reverse(items.begin(), items.end());
    return items;
  }
  void push_items(size_t n) {
    std::vector<Ref> items(n);
    while (n-- > 0) items[n] = pop();
    push_tuple(std::move(items));
  }
  void push_dict() {
    Value v;
    v.kind = Value::dict;
    v.entries = std::make_shared<std::map<std::string, PickledTensor>>();
    push(std::move(v));
  }

  void set_items(const std::vector<Ref>& items) {
    if (stack_.empty() || stack_.back()->kind != Value::dict || items.size() % 2 != 0) fail("entries of no dictionary");
    for (size_t i = 0; i < items.size(); i += 2) {
      if (items[i + 1]->kind != Value::tensor) continue;  // a module's metadata
      if (items[i]->kind != Value::text) fail("a tensor without a name");
      if (++tensors_ > max_tensors) fail("more than 10000 tensors");
      (*stack_.back()->entries)[items[i]->text_value] = items[i + 1]->tensor_value;
    }
  }

  void push_storage(const Ref& id) {
    const auto& items = id->items;
    if (id->kind != Value::tuple || items.size() != 5 || items[0]->text_value != "storage" ||
        items[1]->kind != Value::name || items[2]->kind != Value::text)
      fail("a persistent id that is no storage");
    for (const Known& known : kStorages) {
      if (items[1]->text_value != known.name) continue;
      Value v;
      v.kind = Value::storage;
      v.text_value = items[2]->text_value;
      v.dtype = known.dtype;
      return push(std::move(v));
    }
    refuse("the storage class " + printable(items[1]->text_value) + " (Half, Float and BFloat16 are read)");
  }

  std::vector<int64_t> integers(const Ref& tuple) {
    std::vector<int64_t> values;
    if (tuple->kind != Value::tuple || tuple->items.size() > 8) fail("a shape that is no tuple of up to 8");
    for (const Ref& item : tuple->items) {
      if (item->kind != Value::integer) fail("a shape of other things than numbers");
      values.push_back(item->number);
    }
    return values;
  }

  void call(const Ref& function, const Ref& arguments) {
    if (function->kind != Value::name || arguments->kind != Value::tuple) fail("a call of something that is no name");
    const auto& a = arguments->items;
    if (function->text_value == kDict && a.empty()) return push_dict();
    if (function->text_value == kParameter && !a.empty() && a[0]->kind == Value::tensor) return stack_.push_back(a[0]);
    if (function->text_value != kTensor) refuse("a call of " + printable(function->text_value));
    if (a.size() < 4 || a[0]->kind != Value::storage || a[1]->kind != Value::integer)
      fail("a tensor without a storage");
    Value v;
    v.kind = Value::tensor;
    v.tensor_value = {a[0]->text_value, a[0]->dtype, a[1]->number, integers(a[2]), integers(a[3])};
    if (v.tensor_value.shape.size() != v.tensor_value.stride.size())
      fail("a tensor's shape and strides differ in length");
    push(std::move(v));
  }

  void push_name() {
    const std::string module = line(), name = module + ' ' + line();
    bool known = name == kDict || name == kTensor || name == kParameter;
    for (const Known& storage : kStorages) known = known || name == storage.name;
    if (!known) refuse("the name " + printable(name));
    push(Value::name, 0, name);
  }

  void remember(uint32_t index) {
    if (stack_.empty()) fail("an instruction finds no value");
    memo_[index] = stack_.back();
  }
  void recall(uint32_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail("a value that was never kept");
    stack_.push_back(found->second);
  }

  void step(uint8_t op);

  std::span<const std::byte> bytes_;
  const std::string& name_;
  size_t at_ = 0, values_ = 0, tensors_ = 0;  // read; made; named
  std::vector<Ref> stack_;
  std::map<uint32_t, Ref> memo_;
};

void Reader::step(uint8_t op) {
  switch (op) {
    case 0x80:  // PROTO
      if (get<uint8_t>() > 3) refuse("a protocol above 3");
      return;
    case 'c':
      return push_name();
    case 'q':
      return remember(get<uint8_t>());
    case 'r':
      return remember(get<uint32_t>());
    case 'h':
      return recall(get<uint8_t>());
    case 'j':
      return recall(get<uint32_t>());
    case '(':
      return push(Value::mark, 0, "");
    case ')':
      return push_tuple({});
    case 't':
      return push_tuple(pop_to_mark());
    case 0x85:
    case 0x86:
    case 0x87:  // TUPLE1 … TUPLE3
      return push_items(op - 0x84u);
    case 'X':
      return push(Value::text, 0, text());
    case 'J':
      return push(Value::integer, get<int32_t>(), "");
    case 'K':
      return push(Value::integer, get<uint8_t>(), "");
    case 'M':
      return push(Value::integer, get<uint16_t>(), "");
    case 'N':
    case 0x88:
    case 0x89:  // None, True, False
      return push(Value::nothing, 0, "");
    case '}':
      return push_dict();
    case 's': {
      const Ref value = pop(), key = pop();
      return set_items({key, value});
    }
    case 'u':
      return set_items(pop_to_mark());
    case 'Q':
      return push_storage(pop());
    case 'R': {
      const Ref arguments = pop(), function = pop();
      return call(function, arguments);
    }
    case 'b':  // BUILD: attributes of the value below, which are not needed
      pop();
      return;
    default:
      refuse("instruction " + std::to_string(op));
  }
}

}  // namespace

std::map<std::string, PickledTensor> read_state_dict(std::span<const std::byte> pickle, const std::string& name) {
  return Reader(pickle, name).run();
}

}  // namespace quern
