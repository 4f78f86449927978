// This process: its environment, its user's folders, what it uses, and the time where it runs.
#pragma once
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>

namespace os {

std::optional<std::string> variable(const char* name);  // of the environment, in UTF-8
inline std::string variable_or_empty(const char* name) {
  return variable(name).value_or(std::string());
}
void set_variable(const char* name, const std::string& value);

std::string home_folder();        // "" where nothing names one
std::string user_cache_folder();  // where programs keep what can be had again; "" likewise
std::string user_data_folder();
std::string temporary_folder();
extern const char* const kHomeVariable;       // for messages
extern const char* const kTemporaryVariable;  // likewise

uint64_t process_id() noexcept;
double resident_bytes() noexcept;
double cpu_seconds() noexcept;
// Lets it have so many files and sockets open, if it may. How many it then can have.
size_t allow_open_files(size_t wanted) noexcept;

std::tm local_time(std::time_t time) noexcept;
std::tm utc_time(std::time_t time) noexcept;

}  // namespace os
