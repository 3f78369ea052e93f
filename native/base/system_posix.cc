#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <pthread/qos.h>
#else
#include <sched.h>
#include <sys/syscall.h>
#endif

#include "native/base/system.h"

namespace kvasir {

uint8_t* map_pages(size_t bytes, [[maybe_unused]] bool huge) {
  void* map = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
  if (huge) madvise(map, bytes, MADV_HUGEPAGE);
#endif
  return static_cast<uint8_t*>(map);
}

void unmap_pages(uint8_t* pages, size_t bytes) { munmap(pages, bytes); }

void forget_pages(uint8_t* begin, size_t bytes) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
  const auto last = (reinterpret_cast<uintptr_t>(begin) + bytes) / page * page;
#if defined(__APPLE__)
  const int advice = MADV_FREE;  // MADV_DONTNEED is a hint there, and frees nothing
#else
  const int advice = MADV_DONTNEED;
#endif
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, advice);
}

void lower_priority() {
#if defined(__APPLE__)
  pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0);
#else
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 10);
#endif
}

void batch_priority() {
#if !defined(__APPLE__)  // which has nothing of the kind
  const sched_param none{};
  sched_setscheduler(0, SCHED_BATCH, &none);  // 0: this thread
#endif
}

double peak_memory() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
  return static_cast<double>(usage.ru_maxrss);  // bytes there, kilobytes elsewhere
#else
  return static_cast<double>(usage.ru_maxrss) * 1024;
#endif
}

}  // namespace kvasir
