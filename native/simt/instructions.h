// One function for each emulated instruction. All run on a fiber, in the calling thread's name.
#pragma once

#include <cstdint>
#include <type_traits>

#include "native/cuda/tensor_map.h"

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
uint64_t shuffle_bits(uint32_t mask, uint64_t value, Shuffle kind, int by);
uint32_t ballot(uint32_t mask, bool predicate);
template <typename T>
T shuffle(uint32_t mask, T value, Shuffle kind, int by) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 32 or 64 bits");
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  const auto bits = static_cast<Bits>(shuffle_bits(mask, __builtin_bit_cast(Bits, value), kind, by));
  return __builtin_bit_cast(T, bits);
}

// --- barriers in shared memory, and the copies that arrive at them (mbarrier.cc) ---
void mbarrier_init(uint32_t at, int count);
void mbarrier_arrive(uint32_t at);
void mbarrier_expect(uint32_t at, int bytes);
void mbarrier_wait(uint32_t at, int parity);
void copy_bulk(uint32_t to, const void* from, int bytes, uint32_t at);

// --- tensor cores (mma.cc): operands in the lane's registers as PTX lays them out ---
void ldmatrix_x4(uint32_t* to, uint32_t row, bool transposed);
void mma_bf16(float* d, const uint32_t* a, const uint32_t* b);
void mma_f16(float* d, const uint32_t* a, const uint32_t* b);
void mma_s8(int32_t* d, const uint32_t* a, const uint32_t* b);
void mma_u8(int32_t* d, const uint32_t* a, const uint32_t* b);  // a unsigned, b signed
void mma_s8_k16(int32_t* d, const uint32_t* a, uint32_t b);

// --- compute capability 9.0: boxes and fences (tensor_map.cc), a warpgroup together (wgmma.cc), registers (registers.cc) ---
void load_box(uint32_t to, const cuda::TensorMap& map, int column, int row, uint32_t barrier);
void fence_barrier_init();
void fence_async();
enum class WgmmaKind { s8, bf16, f16 };
struct WgmmaIn {
  WgmmaKind kind;
  int n;  // columns of d
  bool adds;
  const uint32_t* a;  // in registers, or null: in shared memory
  uint64_t a_matrix, b_matrix;
  bool across = false;  // the second operand has N along its rows
};
void wgmma(const WgmmaIn& in, void* d);
void wgmma_fence();
void wgmma_commit();
void wgmma_wait(int groups);
void set_registers(int count, bool takes, int from);  // from: what the warp begins with; 0: the launch says

// --- a lane alone ---
inline int byte_of(uint32_t word, int i) { return static_cast<int8_t>(word >> 8 * i); }
inline int half_of(uint32_t word, int i) { return static_cast<int16_t>(word >> 16 * i); }
inline uint32_t permute(uint32_t a, uint32_t b, uint32_t selector) {
  const uint64_t bytes = static_cast<uint64_t>(b) << 32 | a;
  uint32_t out = 0;
  for (int i = 0; i < 4; ++i) out |= static_cast<uint32_t>(bytes >> (selector >> 4 * i & 7) * 8 & 255) << 8 * i;
  return out;
}
inline int dot4(uint32_t a, uint32_t b, int c) {
  for (int i = 0; i < 4; ++i) c += byte_of(a, i) * byte_of(b, i);
  return c;
}
inline int dot2_low(uint32_t a, uint32_t b, int c) {
  return c + half_of(a, 0) * byte_of(b, 0) + half_of(a, 1) * byte_of(b, 1);
}
inline int dot2_high(uint32_t a, uint32_t b, int c) { return dot2_low(a, b >> 16, c); }

// --- copies and accesses (memory.cc) ---
void copy_async16(uint32_t to, const void* from, int bytes);
void copy_async4(uint32_t to, const void* from, int bytes);
void copy_commit();
void copy_wait(int groups);
void load8(void* to, const void* from);
void load16(void* to, const void* from);
uint32_t load_shared(uint32_t from);
void load_shared8(uint32_t* to, uint32_t from);
void load_shared16(uint32_t* to, uint32_t from);
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
