// Built-in variables, barriers, cp.async, and the hooks through which a kernel's loads and stores are seen.
#include <algorithm>
#include <cstring>

#include "native/simt/checker.h"
#include "native/simt/instructions.h"

namespace kvasir::simt {
namespace {

void finish(Machine& machine, const AsyncCopy& copy) {
  std::memcpy(machine.shared + copy.to, copy.from, copy.bytes);
  std::memset(machine.shared + copy.to + copy.bytes, 0, copy.size - copy.bytes);
}

void complete(Machine& machine, Thread& thread, const AsyncCopy& copy) {
  if (machine.checker) machine.checker->end_copy(copy.to, copy.size, thread);
  finish(machine, copy);
}

bool check(const void* address, size_t bytes, Access kind, const void* site) {
  Machine& machine = Machine::now();
  return !machine.checker || machine.checker->access(address, bytes, kind, machine.thread(), site);
}

// What the compiler moves as a block: byte by byte, and not in the lint.
void check_range(const void* address, size_t bytes, Access kind) {
  for (size_t i = 0; i < bytes; ++i) check(static_cast<const char*>(address) + i, 1, kind, nullptr);
}

// The hardware may finish a copy at any time up to the wait: at once or as late as possible, by seed.
void begin_copy(uint32_t to, const void* from, int bytes, int size, const void* site) {
  Machine& machine = Machine::now();
  Thread& thread = machine.thread();
  if (to + size > machine.launched.shared_bytes) {
    machine.report.add("bounds", "cp.async writes past the end of shared memory");
    return;
  }
  if (bytes && !check(from, bytes, Access::read, site)) return;
  // Another site for the other side of the copy.
  if (machine.checker) machine.checker->begin_copy(to, size, thread, static_cast<const char*>(site) + 1);
  const AsyncCopy copy{to, static_cast<const unsigned char*>(from), bytes, size, thread.groups};
  if (machine.launched.seed && machine.random() % 2) finish(machine, copy);
  thread.copies.push_back(copy);
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

__attribute__((noinline)) void copy_async16(uint32_t to, const void* from, int bytes) {
  begin_copy(to, from, bytes, 16, __builtin_return_address(0));
}
__attribute__((noinline)) void copy_async4(uint32_t to, const void* from, int bytes) {
  begin_copy(to, from, bytes, 4, __builtin_return_address(0));
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
__attribute__((noinline)) void load8(void* to, const void* from) {
  if (check(from, 8, Access::read, __builtin_return_address(0))) std::memcpy(to, from, 8);
}
__attribute__((noinline)) void store16(void* to, const void* from) {
  if (check(to, 16, Access::write, __builtin_return_address(0))) std::memcpy(to, from, 16);
}
// An address past the end is reported and reads as zeros.
static void read_shared(void* to, uint32_t from, int bytes, const void* site) {
  const unsigned char* at = Machine::now().shared + from;
  std::memset(to, 0, bytes);
  if (check(at, bytes, Access::read, site)) std::memcpy(to, at, bytes);
}
__attribute__((noinline)) uint32_t load_shared(uint32_t from) {
  uint32_t word;
  read_shared(&word, from, 4, __builtin_return_address(0));
  return word;
}
__attribute__((noinline)) void load_shared8(uint32_t* to, uint32_t from) {
  read_shared(to, from, 8, __builtin_return_address(0));
}
__attribute__((noinline)) void load_shared16(uint32_t* to, uint32_t from) {
  read_shared(to, from, 16, __builtin_return_address(0));
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
