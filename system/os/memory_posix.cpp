#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "os/memory.h"

namespace os {

size_t page_bytes() noexcept {
  return static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

const void* map_file(int file, size_t size) noexcept {
  void* const data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
  return data == MAP_FAILED ? nullptr : data;
}

void unmap_file(const void* data, size_t size) noexcept {
  ::munmap(const_cast<void*>(data), size);
}

void will_need(const void* data, size_t size) noexcept {
  ::madvise(const_cast<void*>(data), size, MADV_WILLNEED);
}

void dont_need(const void* data, size_t size) noexcept {
  ::madvise(const_cast<void*>(data), size, MADV_DONTNEED);
}

void* new_pages(size_t size) noexcept {
  void* const pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages == MAP_FAILED ? nullptr : pages;
}

void free_pages(void* pages, size_t size) noexcept {
  ::munmap(pages, size);
}

void* aligned_memory(size_t alignment, size_t size) noexcept {
  return ::aligned_alloc(alignment, size);
}

void free_aligned(void* memory) noexcept {
  ::free(memory);
}

void prefer_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] size_t size) noexcept {
#if defined(MADV_HUGEPAGE)
  ::madvise(memory, size, MADV_HUGEPAGE);
#endif
}

uint64_t free_memory() noexcept {
  return 0;
}

bool address_space_is_limited() noexcept {
  rlimit limit{};
  return ::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

void return_free_memory() noexcept {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace os
