// Zeroed memory that costs nothing until it is touched.
#pragma once

#include <sys/mman.h>

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

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kvasir
