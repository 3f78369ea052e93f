// The emulated GPU: a grid of blocks, run one after another; the threads of a block are fibers that give way where they
// wait. Blocks cannot wait for one another yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "native/simt/fiber.h"
#include "native/simt/report.h"
#include "native/simt/tensor_map.h"
#include "native/simt/wgmma.h"

namespace kvasir::simt {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

struct AsyncCopy {
  uint32_t to;  // offset in shared memory
  const unsigned char* from;
  int bytes;  // of `size`; the rest becomes zero
  int size;
  int group;
};

struct Thread {
  Fiber fiber;
  int id = 0;
  Dim3 index;
  bool done = false, waits = false;
  std::vector<AsyncCopy> copies;  // cp.async in flight, oldest first
  int groups = 0;                 // committed
  int wgmma_groups = 0;           // committed; of which so many are over for this thread
  int wgmma_over = 0;
  bool wgmma_fenced = false;
};

// The lanes of a warp that meet in one instruction. The last to come computes for all.
struct Meeting {
  using Compute = void (*)(Meeting&);
  uint32_t mask = 0, present = 0;
  Compute compute = nullptr;
  const void* in[32];
  void* out[32];
  Thread* thread[32];
};

struct Barrier {
  int arrived = 0;
  std::vector<Thread*> waiting;
  std::vector<uint32_t> clock;  // of all that arrived
};

// A barrier in shared memory (mbarrier.cc).
struct Mbarrier {
  int count = 0, pending = 0;  // arrivals of a phase; still to come
  int64_t bytes = 0;           // expected and not landed
  int maker = -1;              // thread whose init no fence has made known to copies; −1: it is known
  uint32_t phase = 0;
  std::vector<uint32_t> clock, done;  // of what arrives in this phase, of all that came in the one before
  std::vector<Thread*> waiting;
};

struct BulkCopy {
  uint32_t to;
  const unsigned char* from;  // null: a box
  int bytes;
  uint32_t barrier;
  Box box = {};
};

struct Launch {
  Dim3 grid, block;
  size_t shared_bytes = 0;
  int registers = 0;       // of a thread when a block begins; 0: as many as there are
  uint64_t seed = 0;       // 0: plain order, copies complete as late as they may
  int shared_granule = 2;  // bytes that the kernel treats as one value; a race is looked for in each
};

class Checker;

class Machine {
 public:
  explicit Machine(bool check);
  ~Machine();

  // Memory that kernels may touch. `initialised`: the host has written it.
  void add_buffer(const void* data, size_t bytes, int granule, const char* name, bool initialised);
  void launch(const Launch& launch, const std::function<void()>& kernel);

  Report report;
  Counters counters;

  // For the instructions, which run on a fiber.
  static Machine& now();
  Thread& thread() { return *current_; }
  void wait();  // until somebody clears thread().waits
  void meet(uint32_t mask, Meeting::Compute compute, const void* in, void* out);
  void arrive(int barrier, int threads, bool waits);
  uint32_t random();

  std::map<uint32_t, Mbarrier> mbarriers;  // of the block, by offset in shared memory
  std::vector<BulkCopy> bulk_copies;       // in flight
  void finish_bulk_copy(size_t index);
  Warpgroup& warpgroup() { return warpgroups_[current_->id >> 7]; }
  // Whether an instruction that is in flight for the thread writes (or, for its writes, reads) these registers.
  bool touches_wgmma(const void* address, size_t bytes, bool writes, const Thread& thread) const;
  int registers_free = 0;              // of a lane, that no warp of the block has
  std::vector<int> registers_of_warp;  // of a lane
  std::vector<Thread*> register_waits;

  Launch launched;
  Dim3 block_index;
  unsigned char* shared = nullptr;
  std::unique_ptr<Checker> checker;  // null in fast mode

 private:
  static void enter();
  void run_block();
  void report_deadlock();
  void check_mbarriers();  // when a block ends

  std::vector<Thread> threads_;
  std::vector<std::vector<Meeting>> meetings_;  // of each warp
  std::vector<Warpgroup> warpgroups_;
  Barrier barriers_[16];
  Thread* current_ = nullptr;
  Fiber scheduler_;
  const std::function<void()>* kernel_ = nullptr;
  unsigned char* stacks_ = nullptr;
  uint64_t random_ = 0;
};

}  // namespace kvasir::simt
