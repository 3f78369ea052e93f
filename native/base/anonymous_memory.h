// Zeroed memory that costs nothing until it is touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "native/base/check.h"
#include "native/base/system.h"

namespace kvasir {

class AnonymousMemory {
 public:
  AnonymousMemory() = default;
  // Large pages, where the system has them: fewer misses of the TLB, at up to 2 MB more than is used.
  enum PageSize { kSmallPages, kHugePages };

  explicit AnonymousMemory(size_t bytes, PageSize page_size = kSmallPages) : size_(bytes) {
    if (bytes == 0) return;
    data_ = map_pages(bytes, page_size == kHugePages);
    KV_CHECK(data_, "KV_NATIVE", "cannot reserve ", bytes, " bytes: choose a smaller context or fewer sequences");
  }
  AnonymousMemory(AnonymousMemory&& other) noexcept { *this = std::move(other); }
  AnonymousMemory& operator=(AnonymousMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~AnonymousMemory() {
    if (data_) unmap_pages(data_, size_);
  }

  // What lies wholly inside these bytes goes back to the system; what it reads as from then on is not said.
  void forget(uint8_t* begin, size_t bytes) const { forget_pages(begin, bytes); }

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kvasir
