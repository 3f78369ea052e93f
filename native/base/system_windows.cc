#include <windows.h>
// After windows.h, whose types it uses.
#include <psapi.h>

#include "native/base/system.h"

namespace kvasir {

// Windows counts these pages against memory and page file at once, but gives them memory when they are touched.
uint8_t* map_pages(size_t bytes, bool) {
  return static_cast<uint8_t*>(VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
}

void unmap_pages(uint8_t* pages, size_t) { VirtualFree(pages, 0, MEM_RELEASE); }

void forget_pages(uint8_t* begin, size_t bytes) {
  constexpr uintptr_t kPage = 4096;
  const auto first = (reinterpret_cast<uintptr_t>(begin) + kPage - 1) / kPage * kPage;
  const auto last = (reinterpret_cast<uintptr_t>(begin) + bytes) / kPage * kPage;
  if (first < last) DiscardVirtualMemory(reinterpret_cast<void*>(first), last - first);
}

void lower_priority() { SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL); }

void batch_priority() { SetThreadPriorityBoost(GetCurrentThread(), TRUE); }  // true: no boost when it is woken

double peak_memory() {
  PROCESS_MEMORY_COUNTERS counters = {};
  K32GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof(counters));
  return static_cast<double>(counters.PeakWorkingSetSize);
}

}  // namespace kvasir
