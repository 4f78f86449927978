#include <errno.h>
#include <io.h>
#include <malloc.h>
#include <windows.h>

#include "os/memory.h"
#include "os/wide_windows.h"

namespace os {

size_t page_bytes() noexcept {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwPageSize;
}

const void* map_file(int file, size_t size) noexcept {
  const auto handle = reinterpret_cast<HANDLE>(_get_osfhandle(file));
  const HANDLE section = CreateFileMappingW(handle, nullptr, PAGE_READONLY, 0, 0, nullptr);
  const void* const data = section == nullptr ? nullptr : MapViewOfFile(section, FILE_MAP_READ, 0, 0, size);
  if (data == nullptr) take_error(GetLastError());
  if (section != nullptr) CloseHandle(section);  // the view keeps it
  return data;
}

void unmap_file(const void* data, size_t) noexcept {
  UnmapViewOfFile(data);
}

void will_need(const void* data, size_t size) noexcept {
  WIN32_MEMORY_RANGE_ENTRY range{const_cast<void*>(data), size};
  PrefetchVirtualMemory(GetCurrentProcess(), 1, &range, 0);
}

void dont_need(const void* data, size_t size) noexcept {
  VirtualUnlock(const_cast<void*>(data), size);  // of pages that are not locked: they leave the working set
}

void* new_pages(size_t size) noexcept {
  return VirtualAlloc(nullptr, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void free_pages(void* pages, size_t) noexcept {
  VirtualFree(pages, 0, MEM_RELEASE);
}

void* aligned_memory(size_t alignment, size_t size) noexcept {
  return _aligned_malloc(size, alignment);
}

void free_aligned(void* memory) noexcept {
  _aligned_free(memory);
}

void prefer_huge_pages(void*, size_t) noexcept {}  // large pages want a right that few users have

uint64_t free_memory() noexcept {
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  return GlobalMemoryStatusEx(&status) ? status.ullAvailPhys : 0;
}

bool address_space_is_limited() noexcept {
  return false;
}

void return_free_memory() noexcept {
  _heapmin();
}

}  // namespace os
