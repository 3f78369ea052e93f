// One function for each emulated instruction. All run on a fiber, in the calling thread's name.
#pragma once

#include <cstdint>

namespace kvasir::simt {

struct Dim3;
Dim3 thread_index();
Dim3 block_index();
Dim3 block_size();
Dim3 grid_size();
unsigned char* shared_memory();
uint32_t shared_offset(const void* pointer);

void barrier_sync(int barrier, int threads);
void barrier_arrive(int barrier, int threads);

// --- a warp together (warp.cc) ---
enum class Shuffle { index, exclusive_or, down, up };
void sync_warp(uint32_t mask);
uint32_t shuffle_bits(uint32_t mask, uint32_t value, Shuffle kind, int by);
uint32_t ballot(uint32_t mask, bool predicate);
template <typename T>
T shuffle(uint32_t mask, T value, Shuffle kind, int by) {
  static_assert(sizeof(T) == 4, "a shuffle moves 32 bits");
  return __builtin_bit_cast(T, shuffle_bits(mask, __builtin_bit_cast(uint32_t, value), kind, by));
}

// --- tensor cores (mma.cc): operands in the lane's registers as PTX lays them out ---
void ldmatrix_x4(uint32_t* to, uint32_t row, bool transposed);
void mma_bf16(float* d, const uint32_t* a, const uint32_t* b);
void mma_f16(float* d, const uint32_t* a, const uint32_t* b);
void mma_s8(int32_t* d, const uint32_t* a, const uint32_t* b);

// --- copies and accesses (memory.cc) ---
void copy_async16(uint32_t to, const void* from, int bytes);
void copy_commit();
void copy_wait(int groups);
void load16(void* to, const void* from);
void store16(void* to, const void* from);
bool access_atomic(const void* address, int bytes);

// Relaxed, at the scope of the device. Orders nothing else. Not instrumented: access_atomic has told the checker.
template <typename T, typename Change>
__attribute__((noinline, no_sanitize("thread"))) T atomic(T* address, Change change) {
  if (!access_atomic(address, sizeof(T))) return {};
  const T old = *address;
  *address = change(old);
  return old;
}

}  // namespace kvasir::simt
