#include "arrow_export.h"

#include <cerrno>
#include <deque>

#include "common.h"

namespace cli {
namespace {

// What an exported array or schema points to. Its children may be taken from it.
template <class T>
struct Held {
  std::deque<std::string> bytes;
  std::vector<const void*> buffers;
  std::deque<T> children;
  std::vector<T*> pointers;

  static void release(T* of) {
    auto* const self = static_cast<Held*>(of->private_data);
    for (T& child : self->children)
      if (child.release) child.release(&child);
    of->release = nullptr;
    delete self;
  }
  T& add_child() {
    children.emplace_back(T{});
    pointers.push_back(&children.back());
    return children.back();
  }
};
using HeldSchema = Held<ArrowSchema>;
using HeldArray = Held<ArrowArray>;

HeldSchema* begin_schema(const std::string& format, const std::string& name, bool nullable, ArrowSchema& to) {
  auto* const held = new HeldSchema;
  held->bytes = {format, name};
  to = {};
  to.format = held->bytes[0].c_str();
  to.name = held->bytes[1].c_str();
  to.flags = nullable ? ARROW_FLAG_NULLABLE : 0;
  to.release = HeldSchema::release;
  to.private_data = held;
  return held;
}

void end_schema(HeldSchema* held, ArrowSchema& to) {
  to.n_children = static_cast<int64_t>(held->children.size());
  to.children = held->pointers.data();
}

HeldArray* begin_array(int64_t n, int64_t nulls, ArrowArray& to) {
  auto* const held = new HeldArray;
  to = {};
  to.length = n;
  to.null_count = nulls;
  to.release = HeldArray::release;
  to.private_data = held;
  return held;
}

void end_array(HeldArray* held, ArrowArray& to) {
  to.n_buffers = static_cast<int64_t>(held->buffers.size());
  to.buffers = held->buffers.data();
  to.n_children = static_cast<int64_t>(held->children.size());
  to.children = held->pointers.data();
}

const void* keep(HeldArray* held, std::string bytes) {
  held->bytes.push_back(std::move(bytes));
  return held->bytes.back().data();
}

struct Stream {
  std::unique_ptr<ArrowExport> from;
  std::string error;

  template <class F>
  static int guarded(ArrowArrayStream* stream, const F& f) {
    auto& self = *static_cast<Stream*>(stream->private_data);
    try {
      f(self);
      return 0;
    } catch (const Failure& e) {
      self.error = e.message;
    } catch (const std::exception& e) {
      self.error = e.what();
    }
    return EIO;
  }
  static int get_schema(ArrowArrayStream* stream, ArrowSchema* out) {
    return guarded(stream, [&](Stream& self) {
      HeldSchema* const held = begin_schema("+s", "", false, *out);
      for (const ArrowColumn& column : self.from->columns()) column.export_schema(held->add_child());
      end_schema(held, *out);
    });
  }
  static int get_next(ArrowArrayStream* stream, ArrowArray* out) {
    return guarded(stream, [&](Stream& self) {
      std::vector<ArrowColumn> columns = self.from->columns();
      int64_t n = 0;
      *out = {};
      if (!self.from->next(columns, n)) return;
      HeldArray* const held = begin_array(n, 0, *out);
      held->buffers.push_back(nullptr);
      for (ArrowColumn& column : columns) column.export_rows(n, held->add_child());
      end_array(held, *out);
    });
  }
  static const char* last_error(ArrowArrayStream* stream) {
    return static_cast<Stream*>(stream->private_data)->error.c_str();
  }
  static void release(ArrowArrayStream* stream) {
    delete static_cast<Stream*>(stream->private_data);
    stream->release = nullptr;
  }
};

}  // namespace

void ArrowColumn::mark(bool valid) {
  if (rows_ % 8 == 0) valid_ += '\0';
  if (valid) valid_.back() = static_cast<char>(valid_.back() | 1 << rows_ % 8);
  nulls_ += !valid;
  ++rows_;
}

void ArrowColumn::append_null() {
  if (format_ == "U")
    offsets_.push_back(static_cast<int64_t>(data_.size()));
  else if (format_ == "b")
    data_.resize(static_cast<size_t>(rows_) / 8 + 1);
  else
    data_.append(8, '\0');
  mark(false);
}

void ArrowColumn::append_bool(bool value) {
  data_.resize(static_cast<size_t>(rows_) / 8 + 1);
  if (value) data_.back() = static_cast<char>(data_.back() | 1 << rows_ % 8);
  mark(true);
}

void ArrowColumn::append_text(const std::string& text) {
  data_ += text;
  offsets_.push_back(static_cast<int64_t>(data_.size()));
  mark(true);
}

void ArrowColumn::export_schema(ArrowSchema& to) const {
  HeldSchema* const held = begin_schema(list_ ? "+w:" + std::to_string(list_) : format_, name_, list_ == 0, to);
  if (list_) begin_schema(format_, "element", false, held->add_child());
  end_schema(held, to);
}

void ArrowColumn::export_rows(int64_t n, ArrowArray& to) {
  HeldArray* const held = begin_array(n, nulls_, to);
  held->buffers.push_back(nulls_ ? keep(held, std::move(valid_)) : nullptr);
  if (list_) {
    ArrowArray& values = held->add_child();
    HeldArray* const inner = begin_array(n * static_cast<int64_t>(list_), 0, values);
    inner->buffers = {nullptr, keep(inner, std::move(data_))};
    end_array(inner, values);
  } else {
    if (format_ == "U")
      held->buffers.push_back(
          keep(held, std::string(reinterpret_cast<const char*>(offsets_.data()), offsets_.size() * sizeof(int64_t))));
    held->buffers.push_back(keep(held, std::move(data_)));
  }
  end_array(held, to);
}

void export_stream(std::unique_ptr<ArrowExport> from, ArrowArrayStream& to) {
  to = {};
  to.get_schema = Stream::get_schema;
  to.get_next = Stream::get_next;
  to.get_last_error = Stream::last_error;
  to.release = Stream::release;
  to.private_data = new Stream{std::move(from), {}};
}

}  // namespace cli
