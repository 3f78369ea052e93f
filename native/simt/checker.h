// Check mode: every load and store of a kernel is held against what is known of the memory it touches.
//
// Order is by vector clocks, one a thread (FastTrack, Flanagan and Freund 2009): two accesses to one place, at least one a
// write, race unless the first happened before the second through barriers or __syncwarp. Blocks of a grid are never
// ordered. A launch is ordered after all before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "native/simt/lint.h"
#include "native/simt/machine.h"

namespace kvasir::simt {

enum class Access { read, write, atomic };

constexpr int kMaxWarpgroups = 4;

// What is known of one granule.
struct Shadow {
  uint32_t write_clock = 0, write_block = 0;
  uint32_t atomic_clock = 0, atomic_block = 0;  // of the last atomic since
  uint32_t read_clock = 0, read_block = 0;
  int32_t readers = -1;                      // index of the clocks of several readers in one block
  uint32_t wgmma_read[kMaxWarpgroups] = {};  // the last wgmma of each warpgroup that reads it
  uint16_t writer = 0, reader = 0, atomic_by = 0;
  uint8_t swizzle = 0;  // 1 + that of the box it came in
  bool initialised = false, written = false, read = false, atomic = false;
  bool read_by_blocks = false;  // by more than one
  bool in_flight = false;       // cp.async has begun and nobody waited for it
};

struct Region {
  const unsigned char* data;
  size_t bytes;
  int granule;
  std::string name;
  bool is_shared;
  std::vector<Shadow> shadow;
};

class Checker {
 public:
  Checker(Machine& machine, const unsigned char* stacks, size_t stack_bytes);

  void add_buffer(const void* data, size_t bytes, int granule, const char* name, bool initialised);
  void begin_launch(int threads);
  void begin_block();
  void end_block() { lint_.end_block(); }

  // `site` tells instructions apart for the lint; null: not counted.
  // False: out of bounds, and the access must not be made.
  bool access(const void* address, size_t bytes, Access kind, Thread& thread, const void* site);

  // Shared memory that cp.async or a bulk copy writes from now on. A null site: not in the lint.
  void begin_copy(uint32_t to, int size, Thread& thread, const void* site);
  void end_copy(uint32_t to, int size, Thread& thread);

  // From here the copy is a write of the copying engine, which is ordered by the barrier's clock alone.
  void end_bulk_copy(uint32_t to, int bytes, std::vector<uint32_t>& clock, cuda::Swizzle swizzle);
  // Global memory that a bulk copy reads, in the lint in sectors.
  bool read_by_copy(const void* from, int bytes, Thread& thread, const void* site);

  // Shared memory that the wgmma `epoch` of the thread's warpgroup reads, from its beginning to a thread's wait. False: out
  // of bounds.
  bool read_by_wgmma(uint32_t from, int bytes, Thread& thread, cuda::Swizzle swizzle, uint32_t epoch);
  void end_wgmma(uint32_t epoch, Thread& thread);
  // The thread's writes up to now, and those it knows of, are known to wgmma and bulk copies.
  void fence_async(Thread& thread);

  void release(Thread& thread, std::vector<uint32_t>& clock);  // clock := max(clock, the thread's), a new epoch begins
  void acquire(Thread& thread, const std::vector<uint32_t>& clock);

 private:
  uint32_t* clock(const Thread& thread) { return &clocks_[static_cast<size_t>(thread.id) * threads_]; }
  Region* find(const unsigned char* address);
  bool before(uint32_t block, uint32_t writer, uint32_t at, const Thread& thread);
  bool reads_before(const Shadow& shadow, const Thread& thread);
  bool wgmma_before(const Shadow& shadow, const Thread& thread);
  void note_read(Shadow& shadow, const Thread& thread);
  void race(const char* what, const Region& region, size_t offset, const Thread& thread, int other, uint32_t block);

  Machine& machine_;
  const unsigned char* stacks_;
  size_t stack_bytes_;
  Lint lint_;
  Region shared_;
  std::vector<Region> buffers_;
  size_t engine_ = 0;   // the thread in whose name bulk copies write: one more than a block has
  size_t threads_ = 0;  // all that have a clock: after the engine come the warps, as readers of their wgmma
  uint32_t engine_clock_ = 0;
  uint32_t block_ = 0;
  std::vector<uint32_t> clocks_;              // [threads, threads]
  std::vector<uint32_t> fenced_;              // [threads] the clock at a thread's own last fence_async
  std::vector<std::vector<uint32_t>> known_;  // [threads] its whole clock then
  std::vector<uint32_t> readers_;             // [shadows with several readers, threads]
};

}  // namespace kvasir::simt
