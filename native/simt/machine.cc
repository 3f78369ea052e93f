// Blocks, fibers, barriers and the meetings of warps.
#include "native/simt/machine.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "native/base/check.h"
#include "native/simt/checker.h"

namespace kvasir::simt {
namespace {

constexpr size_t kStack = 64 << 10;
constexpr int kMaxThreads = 1024;
constexpr unsigned kRegisters = 65536, kMostRegisters = 255;
constexpr size_t kMaxShared = 227 << 10;  // of a block, compute capability 9.0
thread_local Machine* running = nullptr;

unsigned char* map(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  KV_CHECK(memory != MAP_FAILED, "INTERNAL", "mmap of ", bytes, " bytes for the emulator failed");
  return static_cast<unsigned char*>(memory);
}

}  // namespace

Machine::Machine(bool check) : shared(map(kMaxShared)), stacks_(map(kStack * kMaxThreads)) {
  if (check) checker = std::make_unique<Checker>(*this, stacks_, kStack * kMaxThreads);
}

Machine::~Machine() {
  munmap(shared, kMaxShared);
  munmap(stacks_, kStack * kMaxThreads);
}

Machine& Machine::now() { return *running; }

void Machine::add_buffer(const void* data, size_t bytes, int granule, const char* name, bool initialised) {
  if (checker) checker->add_buffer(data, bytes, granule, name, initialised);
}

// xorshift64
uint32_t Machine::random() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return static_cast<uint32_t>(random_ >> 16);
}

void Machine::launch(const Launch& launch, const std::function<void()>& kernel) {
  const int threads = static_cast<int>(launch.block.x * launch.block.y * launch.block.z);
  KV_CHECK(threads > 0 && threads <= kMaxThreads && threads % 32 == 0, "INTERNAL", "block of ", threads,
           " threads, expected a multiple of 32 up to ", kMaxThreads);
  KV_CHECK(launch.shared_bytes <= kMaxShared, "INTERNAL", launch.shared_bytes, " bytes of shared memory, at most ",
           kMaxShared);
  launched = launch;
  random_ = launch.seed * 0x9E3779B97F4A7C15u + 1;
  kernel_ = &kernel;
  running = this;
  if (checker) checker->begin_launch(threads);
  for (unsigned z = 0; z < launch.grid.z; ++z)
    for (unsigned y = 0; y < launch.grid.y; ++y)
      for (unsigned x = 0; x < launch.grid.x; ++x) {
        block_index = {x, y, z};
        run_block();
      }
}

void Machine::enter() {
  (*running->kernel_)();
  running->thread().done = true;
  running->wait();
}

// In plain order straight to the next thread that can go on: half the switches of a way through the scheduler.
void Machine::wait() {
  Thread* const from = current_;
  for (size_t i = launched.seed ? threads_.size() : from->id + 1; i < threads_.size(); ++i) {
    if (threads_[i].done || threads_[i].waits) continue;
    current_ = &threads_[i];
    return switch_fiber(from->fiber, current_->fiber);
  }
  switch_fiber(from->fiber, scheduler_);
}

void Machine::run_block() {
  const Dim3 size = launched.block;
  const unsigned count = size.x * size.y * size.z;
  threads_.assign(count, {});
  meetings_.assign(count / 32, {});
  warpgroups_.assign((count + kGroupThreads - 1) / kGroupThreads, {});
  const unsigned registers =
      launched.registers ? launched.registers : std::min(kMostRegisters, kRegisters / count) & ~7u;
  registers_of_warp.assign(count / 32, static_cast<int>(registers));
  registers_free = 0;
  for (Barrier& barrier : barriers_) barrier = {};
  mbarriers.clear();
  register_waits.clear();
  std::memset(shared, 0xFF, launched.shared_bytes);  // NaN in every float type
  if (checker) checker->begin_block();
  for (unsigned i = 0; i < count; ++i) {
    Thread& thread = threads_[i];
    thread.id = static_cast<int>(i);
    thread.index = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
    // Not all at the same place of a stack: their upper ends would share a few lines of the processor's cache.
    prepare(thread.fiber, stacks_ + i * kStack, kStack - i % 64 * 192, enter);
  }
  for (std::vector<Thread*> ready;; ready.clear()) {
    for (Thread& thread : threads_)
      if (!thread.done && !thread.waits) ready.push_back(&thread);
    // A bulk copy lands as late as it may, or at any time.
    if (!bulk_copies.empty() && (ready.empty() || (launched.seed && random() % 4 == 0))) {
      finish_bulk_copy(launched.seed ? random() % bulk_copies.size() : 0);
      continue;
    }
    if (ready.empty()) break;
    if (launched.seed)
      for (size_t i = ready.size() - 1; i > 0; --i) std::swap(ready[i], ready[random() % (i + 1)]);
    for (Thread* thread : ready) {
      if (thread->done || thread->waits) continue;  // has had its turn
      current_ = thread;
      switch_fiber(scheduler_, thread->fiber);
    }
  }
  report_deadlock();
  check_mbarriers();
  if (checker) checker->end_block();
}

void Machine::report_deadlock() {
  int waiting = 0;
  for (const Thread& thread : threads_) waiting += !thread.done;
  if (waiting)
    report.add("deadlock", text("block ", block_index.x, ",", block_index.y, ": ", waiting, " of ", threads_.size(),
                                " threads wait where the others will not come"));
}

void Machine::meet(uint32_t mask, Meeting::Compute compute, const void* in, void* out) {
  Thread& thread = *current_;
  const int lane = thread.id & 31;
  auto& meetings = meetings_[thread.id >> 5];
  if (!(mask >> lane & 1)) report.add("divergence", text("thread ", thread.id, " is not in the mask that it names"));
  size_t at = 0;
  while (at < meetings.size() && meetings[at].mask != mask) ++at;
  if (at == meetings.size()) {
    meetings.emplace_back();
    meetings[at].mask = mask;
    meetings[at].compute = compute;
  }
  Meeting& meeting = meetings[at];
  if (meeting.compute != compute)
    report.add("divergence", text("thread ", thread.id, " meets its warp in another instruction"));
  meeting.in[lane] = in;
  meeting.out[lane] = out;
  meeting.thread[lane] = &thread;
  meeting.present |= 1u << lane;
  if ((meeting.present & mask) != mask) {
    thread.waits = true;
    wait();
    return;
  }
  meeting.compute(meeting);
  for (int i = 0; i < 32; ++i)
    if (meeting.present >> i & 1) meeting.thread[i]->waits = false;
  meetings.erase(meetings.begin() + static_cast<std::ptrdiff_t>(at));
}

void Machine::arrive(int id, int threads, bool waits) {
  Barrier& barrier = barriers_[id & 15];
  Thread& thread = *current_;
  ++counters.barriers;
  if (checker) checker->release(thread, barrier.clock);
  if (waits) barrier.waiting.push_back(&thread);
  if (++barrier.arrived < threads) {
    if (!waits) return;
    thread.waits = true;
    wait();
    return;
  }
  const Barrier complete = std::exchange(barrier, {});
  for (Thread* other : complete.waiting) {
    if (checker) checker->acquire(*other, complete.clock);
    other->waits = false;
  }
}

}  // namespace kvasir::simt
