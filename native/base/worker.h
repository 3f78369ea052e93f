// One thread of a step. All threads of a device run the same tape and meet at a barrier after each instruction.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace kvasir {

struct Range {
  int64_t begin;
  int64_t end;
};

class Barrier {
 public:
  virtual ~Barrier() = default;
  // Returns when all threads have arrived. The last to arrive sets the ticket back to 0 first.
  virtual void wait() = 0;
};

struct Worker {
  int index = 0;
  int count = 1;
  Barrier* barrier = nullptr;
  std::atomic<int64_t>* ticket = nullptr;  // shared; 0 when an instruction begins
  uint8_t* scratch = nullptr;              // of this thread alone, 64-byte aligned
  int64_t scratch_bytes = 0;               // at least kScratchBytes

  // This thread's share of [0, n), in whole multiples of `grain` (a stable share keeps its weights in its L2).
  Range share(int64_t n, int64_t grain = 1) const {
    const int64_t units = (n + grain - 1) / grain;
    const int64_t begin = units * index / count * grain;
    const int64_t end = units * (index + 1) / count * grain;
    return {begin < n ? begin : n, end < n ? end : n};
  }

  // The next piece of dynamically shared work, ascending from 0.
  int64_t next() const { return ticket->fetch_add(1, std::memory_order_relaxed); }

  void sync() const {
    if (count > 1)
      barrier->wait();
    else
      ticket->store(0, std::memory_order_relaxed);
  }
};

constexpr int64_t kScratchBytes = int64_t{1} << 20;

}  // namespace kvasir
