// One wrapper for each PTX instruction that kernels use: the only file with inline assembly for a GPU. Another compiler than
// nvcc gets the emulator's functions of the same name (native/simt).
#pragma once

#include <cstdint>

#ifdef __CUDACC__

namespace kvasir::cuda {

// ld.global.v4, st.global.v4
template <typename T>
__device__ __forceinline__ void load16(T* to, const T* from) {
  auto* out = reinterpret_cast<uint32_t*>(to);
  asm volatile("ld.global.v4.b32 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "l"(from)
               : "memory");
}
// ld.global.v2
template <typename T>
__device__ __forceinline__ void load8(T* to, const T* from) {
  auto* out = reinterpret_cast<uint32_t*>(to);
  asm volatile("ld.global.v2.b32 {%0, %1}, [%2];" : "=r"(out[0]), "=r"(out[1]) : "l"(from) : "memory");
}
template <typename T>
__device__ __forceinline__ void store16(T* to, const T* from) {
  const auto* in = reinterpret_cast<const uint32_t*>(from);
  asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(in[0]), "r"(in[1]), "r"(in[2]), "r"(in[3])
               : "memory");
}

__device__ __forceinline__ unsigned char* shared_memory() {
  extern __shared__ __align__(1024) unsigned char kvasir_shared[];
  return kvasir_shared;
}
__device__ __forceinline__ uint32_t shared_offset(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// cp.async: 16 bytes into shared memory, of which `bytes` are read and the rest becomes zero.
__device__ __forceinline__ void copy_async16(uint32_t to, const void* from, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}
// The same for 4 bytes.
__device__ __forceinline__ void copy_async4(uint32_t to, const void* from, int bytes) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}
__device__ __forceinline__ void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Until at most `groups` of this thread's groups are in flight.
template <int groups>
__device__ __forceinline__ void copy_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
}

// mbarrier and cp.async.bulk, from compute capability 9.0 on. A phase ends when `count` threads have arrived and the bytes
// that they expect have landed.
__device__ __forceinline__ void mbarrier_init(uint32_t at, int count) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(at), "r"(count) : "memory");
}
__device__ __forceinline__ void mbarrier_arrive(uint32_t at) {
  asm volatile("{ .reg .b64 state; mbarrier.arrive.shared.b64 state, [%0]; }" ::"r"(at) : "memory");
}
__device__ __forceinline__ void mbarrier_expect(uint32_t at, int bytes) {
  asm volatile("{ .reg .b64 state; mbarrier.arrive.expect_tx.shared.b64 state, [%0], %1; }" ::"r"(at), "r"(bytes)
               : "memory");
}
// Until the phase of that parity is over.
__device__ __forceinline__ void mbarrier_wait(uint32_t at, int parity) {
  uint32_t over = 0;
  while (!over)
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
                 : "=r"(over)
                 : "r"(at), "r"(parity)
                 : "memory");
}
// A whole multiple of 16 bytes into shared memory; they land at the barrier.
__device__ __forceinline__ void copy_bulk(uint32_t to, const void* from, int bytes, uint32_t barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(from), "r"(bytes), "r"(barrier)
               : "memory");
}

// bar.sync, bar.arrive: the first `threads` threads to come to a named barrier.
__device__ __forceinline__ void barrier_sync(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}
__device__ __forceinline__ void barrier_arrive(int barrier, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// ld.shared
__device__ __forceinline__ uint32_t load_shared(uint32_t from) {
  uint32_t word;
  asm volatile("ld.shared.b32 %0, [%1];" : "=r"(word) : "r"(from) : "memory");
  return word;
}
__device__ __forceinline__ void load_shared8(uint32_t* to, uint32_t from) {
  asm volatile("ld.shared.v2.b32 {%0, %1}, [%2];" : "=r"(to[0]), "=r"(to[1]) : "r"(from) : "memory");
}
__device__ __forceinline__ void load_shared16(uint32_t* to, uint32_t from) {
  asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(from)
               : "memory");
}

// ldmatrix.x4: four 8×8 matrices of 16 bits; lane i gives the address of row i mod 8 of matrix i / 8.
__device__ __forceinline__ void ldmatrix_x4(uint32_t* to, uint32_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(row)
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x4_transposed(uint32_t* to, uint32_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(row)
               : "memory");
}

// mma.sync: d[16, 8] += a[16, K] · b[K, 8], K = 16 for 16 bits and 32 for 8.
__device__ __forceinline__ void mma_bf16(float* d, const uint32_t* a, const uint32_t* b) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_f16(float* d, const uint32_t* a, const uint32_t* b) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_s8(int32_t* d, const uint32_t* a, const uint32_t* b) {
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// The same with unsigned a.
__device__ __forceinline__ void mma_u8(int32_t* d, const uint32_t* a, const uint32_t* b) {
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// The same for the sixteen values of k that a0, a1 and b0 hold.
__device__ __forceinline__ void mma_s8_k16(int32_t* d, const uint32_t* a, uint32_t b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
               : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(b));
}

// dp4a, dp2a: c + the products of four s8 with four s8, or of two s16 with the low or high two of four s8.
__device__ __forceinline__ int dot4(uint32_t a, uint32_t b, int c) {
  return __dp4a(static_cast<int>(a), static_cast<int>(b), c);
}
__device__ __forceinline__ int dot2_low(uint32_t a, uint32_t b, int c) {
  return __dp2a_lo(static_cast<int>(a), static_cast<int>(b), c);
}
__device__ __forceinline__ int dot2_high(uint32_t a, uint32_t b, int c) {
  return __dp2a_hi(static_cast<int>(a), static_cast<int>(b), c);
}

// prmt: byte i of the result is byte (selector >> 4i mod 8) of the eight bytes of a, then b.
template <uint32_t selector>
__device__ __forceinline__ uint32_t permute(uint32_t a, uint32_t b) {
  return __byte_perm(a, b, selector);
}

// No instruction: the compiler may not compute these again where they are used, which it does across branches.
template <int count>
__device__ __forceinline__ void keep(uint32_t (&values)[count]) {
#pragma unroll
  for (int i = 0; i < count; ++i) asm volatile("" : "+r"(values[i]));
}

// cvt.f32.f16, cvt.rn.f16.f32
__device__ __forceinline__ float from_f16(uint16_t bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
__device__ __forceinline__ uint16_t to_f16(float value) {
  uint16_t bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
__device__ __forceinline__ float from_bf16(uint16_t bits) { return __uint_as_float(uint32_t{bits} << 16); }

// cvt.rn.bf16x2: two values, the first in the low half.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

__device__ __forceinline__ uint32_t pack_f16(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

// ex2.approx: 2^x to two units in the last place; 1 for 0, 0 for −∞.
__device__ __forceinline__ float exp2_of(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace kvasir::cuda

#else

#include "native/formats/half.h"
#include "native/simt/cuda.h"

namespace kvasir::cuda {

using simt::barrier_arrive;
using simt::barrier_sync;
using simt::copy_async16;
using simt::copy_async4;
using simt::copy_bulk;
using simt::copy_commit;
using simt::dot2_high;
using simt::dot2_low;
using simt::dot4;
using simt::load16;
using simt::load8;
using simt::load_shared;
using simt::load_shared16;
using simt::load_shared8;
using simt::mbarrier_arrive;
using simt::mbarrier_expect;
using simt::mbarrier_init;
using simt::mbarrier_wait;
using simt::mma_bf16;
using simt::mma_f16;
using simt::mma_s8;
using simt::mma_s8_k16;
using simt::mma_u8;
using simt::shared_memory;
using simt::shared_offset;
using simt::store16;

template <int groups>
void copy_wait() {
  simt::copy_wait(groups);
}
template <int count>
void keep(uint32_t (&)[count]) {}
inline void ldmatrix_x4(uint32_t* to, uint32_t row) { simt::ldmatrix_x4(to, row, false); }
inline void ldmatrix_x4_transposed(uint32_t* to, uint32_t row) { simt::ldmatrix_x4(to, row, true); }
template <uint32_t selector>
uint32_t permute(uint32_t a, uint32_t b) {
  return simt::permute(a, b, selector);
}
inline float from_f16(uint16_t bits) { return f16_to_f32(bits); }
inline uint16_t to_f16(float value) { return f32_to_f16(value); }
inline float from_bf16(uint16_t bits) { return bf16_to_f32(bits); }
inline uint32_t pack_bf16(float low, float high) { return f32_to_bf16(low) | uint32_t{f32_to_bf16(high)} << 16; }
inline uint32_t pack_f16(float low, float high) { return f32_to_f16(low) | uint32_t{f32_to_f16(high)} << 16; }
inline float exp2_of(float x) { return std::exp2(x); }

}  // namespace kvasir::cuda

#endif
