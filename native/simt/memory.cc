// Built-in variables, barriers, cp.async, and the hooks through which a kernel's loads and stores are seen.
#include <algorithm>
#include <cstring>

#include "native/simt/checker.h"
#include "native/simt/instructions.h"

namespace kvasir::simt {
namespace {

void complete(Machine& machine, Thread& thread, const AsyncCopy& copy) {
  if (machine.checker) machine.checker->end_copy(copy.to, thread);
  std::memcpy(machine.shared + copy.to, copy.from, copy.bytes);
  std::memset(machine.shared + copy.to + copy.bytes, 0, 16 - copy.bytes);
}

bool check(const void* address, size_t bytes, Access kind, const void* site) {
  Machine& machine = Machine::now();
  return !machine.checker || machine.checker->access(address, bytes, kind, machine.thread(), site);
}

// What the compiler moves as a block: byte by byte, and not in the lint.
void check_range(const void* address, size_t bytes, Access kind) {
  for (size_t i = 0; i < bytes; ++i) check(static_cast<const char*>(address) + i, 1, kind, nullptr);
}

}  // namespace

Dim3 thread_index() { return Machine::now().thread().index; }
Dim3 block_index() { return Machine::now().block_index; }
Dim3 block_size() { return Machine::now().launched.block; }
Dim3 grid_size() { return Machine::now().launched.grid; }
unsigned char* shared_memory() { return Machine::now().shared; }
uint32_t shared_offset(const void* pointer) {
  return static_cast<uint32_t>(static_cast<const unsigned char*>(pointer) - Machine::now().shared);
}

void barrier_sync(int barrier, int threads) { Machine::now().arrive(barrier, threads, true); }
void barrier_arrive(int barrier, int threads) { Machine::now().arrive(barrier, threads, false); }

// The hardware may finish a copy at any time up to the wait: at once or as late as possible, by seed.
__attribute__((noinline)) void copy_async16(uint32_t to, const void* from, int bytes) {
  Machine& machine = Machine::now();
  Thread& thread = machine.thread();
  if (to + 16 > machine.launched.shared_bytes) {
    machine.report.add("bounds", "cp.async writes past the end of shared memory");
    return;
  }
  const void* site = __builtin_return_address(0);
  if (bytes && !check(from, bytes, Access::read, site)) return;
  // Another site for the other side of the copy.
  if (machine.checker) machine.checker->begin_copy(to, thread, static_cast<const char*>(site) + 1);
  const AsyncCopy copy{to, static_cast<const unsigned char*>(from), bytes, thread.groups};
  if (machine.launched.seed && machine.random() % 2) {
    std::memcpy(machine.shared + to, copy.from, bytes);
    std::memset(machine.shared + to + bytes, 0, 16 - bytes);
  }
  thread.copies.push_back(copy);
}

void copy_commit() { ++Machine::now().thread().groups; }

void copy_wait(int groups) {
  Machine& machine = Machine::now();
  Thread& thread = machine.thread();
  auto done = thread.copies.begin();
  for (; done != thread.copies.end() && done->group < thread.groups - groups; ++done) complete(machine, thread, *done);
  thread.copies.erase(thread.copies.begin(), done);
}

__attribute__((noinline)) void load16(void* to, const void* from) {
  if (check(from, 16, Access::read, __builtin_return_address(0))) std::memcpy(to, from, 16);
}
__attribute__((noinline)) void store16(void* to, const void* from) {
  if (check(to, 16, Access::write, __builtin_return_address(0))) std::memcpy(to, from, 16);
}
__attribute__((noinline)) bool access_atomic(const void* address, int bytes) {
  return check(address, bytes, Access::atomic, __builtin_return_address(0));
}

}  // namespace kvasir::simt

// Kernels are compiled with -fsanitize=thread and linked without its library: these are what the compiler calls.
#define KVASIR_TSAN(bytes)                                                                   \
  void __tsan_read##bytes(void* p) {                                                         \
    kvasir::simt::check(p, bytes, kvasir::simt::Access::read, __builtin_return_address(0));  \
  }                                                                                          \
  void __tsan_write##bytes(void* p) {                                                        \
    kvasir::simt::check(p, bytes, kvasir::simt::Access::write, __builtin_return_address(0)); \
  }                                                                                          \
  void __tsan_unaligned_read##bytes(void* p) { __tsan_read##bytes(p); }                      \
  void __tsan_unaligned_write##bytes(void* p) { __tsan_write##bytes(p); }

extern "C" {
KVASIR_TSAN(1)
KVASIR_TSAN(2)
KVASIR_TSAN(4)
KVASIR_TSAN(8)
KVASIR_TSAN(16)
void __tsan_read_range(void* p, size_t bytes) { kvasir::simt::check_range(p, bytes, kvasir::simt::Access::read); }
void __tsan_write_range(void* p, size_t bytes) { kvasir::simt::check_range(p, bytes, kvasir::simt::Access::write); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
}
