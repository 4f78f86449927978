// <nlohmann/json.hpp>, with values that can be destroyed where memory has run out. Found before the real one by
// whatever links nlohmann_json::nlohmann_json, so that every file of a program has the same.
//
// The original moves children to a list that it allocates, so that no depth of nesting ends the stack; where that
// fails, the exception leaves a destructor and ends the process. Here the places of the values themselves hold what is
// left: nothing is allocated, and the stack does not grow either. An object that could not be allocated is null:
// operator[] had set its type before it threw.
#pragma once
#ifdef __GNUC__
#pragma GCC system_header  // for include_next
#endif
#include <nlohmann/namespace.h>

#include_next <nlohmann/json.hpp>

namespace quern::json_values {

// Objects and lists alike: their first child, their last one, its removal.
template <class T, class... A>
T& first(std::vector<T, A...>& list) noexcept {
  return list.front();
}
template <class T, class... A>
T& last(std::vector<T, A...>& list) noexcept {
  return list.back();
}
template <class T, class... A>
void drop_last(std::vector<T, A...>& list) noexcept {
  list.pop_back();
}
template <class K, class T, class... A>
T& first(std::map<K, T, A...>& object) noexcept {
  return object.begin()->second;
}
template <class K, class T, class... A>
T& last(std::map<K, T, A...>& object) noexcept {
  return object.rbegin()->second;
}
template <class K, class T, class... A>
void drop_last(std::map<K, T, A...>& object) noexcept {
  object.erase(std::prev(object.end()));
}
template <class K, class T, class... A>
T& first(nlohmann::ordered_map<K, T, A...>& object) noexcept {
  return object.front().second;
}
template <class K, class T, class... A>
T& last(nlohmann::ordered_map<K, T, A...>& object) noexcept {
  return object.back().second;
}
template <class K, class T, class... A>
void drop_last(nlohmann::ordered_map<K, T, A...>& object) noexcept {
  object.pop_back();
}

template <class Json>
size_t n_children(const Json& value) noexcept {
  return value.is_structured() ? value.size() : 0;
}
template <class Json>
Json& first_child(Json& value) noexcept {
  if (auto* list = value.template get_ptr<typename Json::array_t*>()) return first(*list);
  return first(*value.template get_ptr<typename Json::object_t*>());
}
template <class Json>
Json take_last_child(Json& value) noexcept {
  if (auto* list = value.template get_ptr<typename Json::array_t*>()) {
    Json taken = std::move(last(*list));
    drop_last(*list);
    return taken;
  }
  auto& object = *value.template get_ptr<typename Json::object_t*>();
  Json taken = std::move(last(object));
  drop_last(object);
  return taken;
}

// Takes a value apart, each child once. On the way down what a value lay in takes the place of its first child, which
// is in hand next; so the way up needs no other memory (Schorr and Waite's idea).
template <class Json>
void take_apart(Json at) noexcept {
  for (size_t depth = 0;;) {
    if (n_children(at) > (depth > 0)) {
      Json hand = take_last_child(at);
      for (; n_children(hand) > 0; ++depth) {
        Json next = std::move(first_child(hand));
        first_child(hand) = std::move(at);
        at = std::move(hand);
        hand = std::move(next);
      }
    } else if (depth > 0) {
      Json above = std::move(first_child(at));
      at = std::move(above);
      --depth;
    } else {
      return;
    }
  }
}

template <class T>
void free_value(T* p) noexcept {
  if (!p) return;
  std::allocator<T> memory;
  std::allocator_traits<std::allocator<T>>::destroy(memory, p);
  memory.deallocate(p, 1);
}
template <class T>
void free_with_children(T* children) noexcept {
  if (!children) return;
  for (; !children->empty(); drop_last(*children))
    if (last(*children).is_structured()) take_apart(std::move(last(*children)));
  free_value(children);
}

template <class Value>
void destroy(Value& value, nlohmann::detail::value_t type) noexcept {
  switch (type) {
    case nlohmann::detail::value_t::object:
      return free_with_children(value.object);
    case nlohmann::detail::value_t::array:
      return free_with_children(value.array);
    case nlohmann::detail::value_t::string:
      return free_value(value.string);
    case nlohmann::detail::value_t::binary:
      return free_value(value.binary);
    default:
      return;  // lies in the value itself
  }
}

}  // namespace quern::json_values

template <>
inline void nlohmann::json::json_value::destroy(nlohmann::detail::value_t type) {
  quern::json_values::destroy(*this, type);
}
template <>
inline void nlohmann::ordered_json::json_value::destroy(nlohmann::detail::value_t type) {
  quern::json_values::destroy(*this, type);
}
