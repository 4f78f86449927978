// Objects that are costly to make and that one thread uses at a time: taken, and given back for whoever comes next.
// In place of thread_local objects with destructors: the C library registers those with an allocation, and ends the
// process where it fails. As many are kept as were ever in use at once.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace quern {

template <class T>
class Spares {
  struct Node {
    T value;
    std::unique_ptr<Node> next;
  };

 public:
  // One object, for as long as it lives.
  class Lease {
   public:
    Lease(Spares& from, std::unique_ptr<Node> node) : from_(from), node_(std::move(node)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      const std::lock_guard lock(from_.mutex_);
      node_->next = std::move(from_.first_);
      from_.first_ = std::move(node_);
    }
    T& operator*() const { return node_->value; }
    T* operator->() const { return &node_->value; }

   private:
    Spares& from_;
    std::unique_ptr<Node> node_;
  };

  Spares() = default;
  Spares(const Spares&) = delete;
  Spares& operator=(const Spares&) = delete;
  ~Spares() {
    while (first_) first_ = std::move(first_->next);  // not one within the other
  }
  // As its last user left it, or a new one. Thread-safe. Throws what T's constructor throws, std::bad_alloc.
  Lease take() {
    std::unique_ptr<Node> node;
    {
      const std::lock_guard lock(mutex_);
      if (first_) {
        node = std::move(first_);
        first_ = std::move(node->next);
      }
    }
    if (!node) node = std::make_unique<Node>();
    return Lease(*this, std::move(node));
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<Node> first_;
};

}  // namespace quern
