// A pretended card: memory with guard pages, counters, and the error that ends it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "native/driver/abi.h"

namespace kvasir::simt::lookalike {

struct DeviceCounters {
  std::atomic<uint64_t> launches{0};        // kernels run, those of graphs included
  std::atomic<uint64_t> graph_launches{0};  // graphs run
  std::atomic<uint64_t> graph_kernels{0};   // kernels run by them
  std::atomic<uint64_t> wgmma_kernels{0};   // kernels for compute capability 9.0 alone
  std::atomic<uint64_t> captured{0};        // operations recorded and not run
  std::atomic<uint64_t> copies{0};
};

class Device {
 public:
  explicit Device(int index) : index(index) {}

  driver::Result allocate(size_t bytes, driver::Address* address);
  driver::Result release(driver::Address address);
  // Whether [address, address + bytes) lies in one allocation.
  bool owns(driver::Address address, size_t bytes) const;
  size_t free_bytes() const;
  size_t allocations() const;

  // From the first error of a kernel on, every call on the card gives that error.
  void fail(driver::Result result, const std::string& why);
  driver::Result failure() const { return failure_; }

  void retain() { ++users_; }
  // Writes the report when the last user goes.
  void release_user();
  bool in_use() const { return users_ > 0; }

  const int index;
  DeviceCounters counters;
  std::atomic<int> live_objects{0};  // streams, events, graphs, libraries, pinned memory

 private:
  void report() const;

  struct Block {
    unsigned char* map;
    size_t map_bytes;
    size_t bytes;
  };
  mutable std::mutex mutex_;
  std::map<driver::Address, Block> blocks_;
  size_t used_ = 0;
  std::atomic<driver::Result> failure_{driver::kSuccess};
  std::string why_;
  std::atomic<int> users_{0};
};

// memset; whole pages of zeros go back to the system instead, as what is only reserved costs nothing.
void fill(unsigned char* to, unsigned char value, size_t bytes);

// Of the machine. Null when there is no such card.
Device* device_at(int index);

}  // namespace kvasir::simt::lookalike
