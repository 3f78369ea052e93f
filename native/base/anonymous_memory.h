// Zeroed memory that costs nothing until it is touched.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "native/base/check.h"

namespace kvasir {

class AnonymousMemory {
 public:
  AnonymousMemory() = default;
  // Large pages, where the system has them: fewer misses of the TLB, at up to 2 MB more than is used.
  enum PageSize { kSmallPages, kHugePages };

  explicit AnonymousMemory(size_t bytes, PageSize page_size = kSmallPages) : size_(bytes) {
    if (bytes == 0) return;
    void* map = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    KV_CHECK(map != MAP_FAILED, "KV_NATIVE", "cannot reserve ", bytes,
             " bytes: choose a smaller context or fewer sequences");
    data_ = static_cast<uint8_t*>(map);
#ifdef MADV_HUGEPAGE
    if (page_size == kHugePages) madvise(data_, bytes, MADV_HUGEPAGE);
#endif
  }
  AnonymousMemory(AnonymousMemory&& other) noexcept { *this = std::move(other); }
  AnonymousMemory& operator=(AnonymousMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~AnonymousMemory() {
    if (data_) munmap(data_, size_);
  }

  // What lies wholly inside these bytes goes back to the system, and reads as zeros from then on.
  void forget(uint8_t* begin, size_t bytes) const {
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto first = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
    const auto last = (reinterpret_cast<uintptr_t>(begin) + bytes) / page * page;
    if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
  }

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kvasir
