// mbarrier and cp.async.bulk (PTX ISA, "mbarrier" and "cp.async.bulk", compute capability 9.0): a barrier in shared memory
// whose phase ends when all arrivals have come and all expected bytes have landed.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "native/base/check.h"
#include "native/simt/checker.h"
#include "native/simt/instructions.h"

namespace kvasir::simt {
namespace {

constexpr int kBytes = 8;

// The barrier at `at`, or null with a finding.
Mbarrier* find(uint32_t at, const void* site) {
  Machine& machine = Machine::now();
  if (machine.checker && !machine.checker->access(machine.shared + at, kBytes, Access::atomic, machine.thread(), site))
    return nullptr;
  const auto barrier = machine.mbarriers.find(at);
  if (barrier != machine.mbarriers.end()) return &barrier->second;
  machine.report.add("uninitialised", text("no mbarrier at shared memory+", at));
  return nullptr;
}

void end_phase_when_due(Mbarrier& barrier) {
  if (barrier.pending > 0 || barrier.bytes != 0) return;
  ++barrier.phase;
  barrier.pending = barrier.count;
  barrier.done = std::exchange(barrier.clock, {});
  for (Thread* thread : std::exchange(barrier.waiting, {})) thread->waits = false;
}

void arrive(Mbarrier& barrier) {
  Machine& machine = Machine::now();
  if (machine.checker) machine.checker->release(machine.thread(), barrier.clock);
  --barrier.pending;
  end_phase_when_due(barrier);
}

}  // namespace

__attribute__((noinline)) void mbarrier_init(uint32_t at, int count) {
  Machine& machine = Machine::now();
  const void* site = __builtin_return_address(0);
  if (machine.checker && !machine.checker->access(machine.shared + at, kBytes, Access::write, machine.thread(), site))
    return;
  Mbarrier& barrier = machine.mbarriers[at] = {};
  barrier.count = barrier.pending = count;
  barrier.maker = machine.thread().id;
}

__attribute__((noinline)) void mbarrier_arrive(uint32_t at) {
  if (Mbarrier* barrier = find(at, __builtin_return_address(0))) arrive(*barrier);
}

__attribute__((noinline)) void mbarrier_expect(uint32_t at, int bytes) {
  Mbarrier* barrier = find(at, __builtin_return_address(0));
  if (!barrier) return;
  barrier->bytes += bytes;
  arrive(*barrier);
}

// Returns when the phase of that parity is over.
__attribute__((noinline)) void mbarrier_wait(uint32_t at, int parity) {
  Machine& machine = Machine::now();
  Mbarrier* barrier = find(at, __builtin_return_address(0));
  if (!barrier) return;
  while (static_cast<int>(barrier->phase & 1) == parity) {
    barrier->waiting.push_back(&machine.thread());
    machine.thread().waits = true;
    machine.wait();
  }
  if (machine.checker) machine.checker->acquire(machine.thread(), barrier->done);
}

__attribute__((noinline)) void copy_bulk(uint32_t to, const void* from, int bytes, uint32_t at) {
  Machine& machine = Machine::now();
  const void* site = __builtin_return_address(0);
  if (bytes % 16 || to % 16 || reinterpret_cast<uintptr_t>(from) % 16)
    machine.report.add("misaligned", text("cp.async.bulk of ", bytes, " bytes to shared memory+", to));
  if (to + bytes > machine.launched.shared_bytes) {
    machine.report.add("bounds", "cp.async.bulk writes past the end of shared memory");
    return;
  }
  if (Checker* checker = machine.checker.get()) {
    if (!checker->read_by_copy(from, bytes, machine.thread(), site)) return;
    checker->begin_copy(to, bytes, machine.thread(), nullptr);
  }
  machine.bulk_copies.push_back({to, static_cast<const unsigned char*>(from), bytes, at});
}

void Machine::finish_bulk_copy(size_t index) {
  const BulkCopy copy = bulk_copies[index];
  bulk_copies.erase(bulk_copies.begin() + static_cast<std::ptrdiff_t>(index));
  if (copy.from)
    std::memcpy(shared + copy.to, copy.from, copy.bytes);
  else
    write_box(copy.box, shared, copy.to);
  Mbarrier& barrier = mbarriers[copy.barrier];
  if (barrier.maker >= 0)
    report.add("unfenced", text("a copy lands at the mbarrier at shared memory+", copy.barrier,
                                ", whose init no fence has made known to copies"));
  if (checker)
    checker->end_bulk_copy(copy.to, copy.bytes, barrier.clock, copy.from ? cuda::Swizzle::none : copy.box.map.swizzle);
  barrier.bytes -= copy.bytes;
  end_phase_when_due(barrier);
}

void Machine::check_mbarriers() {
  while (!bulk_copies.empty()) finish_bulk_copy(0);
  for (const auto& [at, barrier] : mbarriers)
    if (barrier.bytes != 0)
      report.add("transaction", text("mbarrier at shared memory+", at, ": ",
                                     barrier.bytes > 0 ? "expects bytes that nobody copies: "
                                                       : "bytes have landed that nobody expects: ",
                                     std::abs(barrier.bytes)));
}

}  // namespace kvasir::simt
