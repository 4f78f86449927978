// Memory from the operating system: mapped files, pages, and what is left of it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace os {

size_t page_bytes() noexcept;

// A regular file's first `size` bytes, to read; null with errno where it fails. The file may be closed.
const void* map_file(int file, size_t size) noexcept;
void unmap_file(const void* data, size_t size) noexcept;
// Hints on whole pages of a mapped file: they will be read; they may leave memory and are read again when touched.
void will_need(const void* data, size_t size) noexcept;
void dont_need(const void* data, size_t size) noexcept;

// Pages of zeros, which take memory where they are touched (on Windows: are promised it); null where there is none.
void* new_pages(size_t size) noexcept;
void free_pages(void* pages, size_t size) noexcept;

// size: a multiple of alignment, a power of two. Null where there is none.
void* aligned_memory(size_t alignment, size_t size) noexcept;
void free_aligned(void* memory) noexcept;
void prefer_huge_pages(void* memory, size_t size) noexcept;  // a hint

// Bytes that this machine's programs can still have; 0: not known, or told by /proc.
uint64_t free_memory() noexcept;
bool address_space_is_limited() noexcept;  // by RLIMIT_AS (ulimit -v)
void return_free_memory() noexcept;        // what the C library keeps of freed memory goes back, where it can

}  // namespace os
