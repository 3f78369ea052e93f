// The instructions of compute capability 9.0 (sm_90a), as ptx.h: TMA, wgmma and what orders them. A warpgroup is four warps in
// a row, the first a multiple of four; it executes wgmma together. Only kernels of native/cuda/hopper include this.
//
// wgmma of m64: d[4·i + r] of lane 4·g + t in warp w of the group is row 16·w + g + 8·(r / 2), column 8·i + 2·t + r mod 2; the
// first operand in registers lies as that of mma.sync, 16 rows to a warp.
#pragma once

#include "native/cuda/ptx.h"
#include "native/cuda/tensor_map.h"

#ifdef __CUDACC__

namespace kvasir::cuda {

// cp.async.bulk.tensor: the box whose corner is (column, row), to a multiple of 128 bytes; it lands at the barrier.
__device__ __forceinline__ void load_box(uint32_t to, const TensorMap* map, int column, int row, uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::
          "r"(to),
      "l"(map), "r"(column), "r"(row), "r"(barrier)
      : "memory");
}
// After mbarrier_init, before a copy may land there.
__device__ __forceinline__ void fence_barrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
// Between ordinary writes to shared memory and wgmma or bulk copies that read them.
__device__ __forceinline__ void fence_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// setmaxnreg, by all warps of a warpgroup: a multiple of 8. `from`: what a thread begins with, where several blocks share a
// multiprocessor.
template <int registers, int from = 0>
__device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
}
template <int registers, int from = 0>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
}

// Before the first wgmma, and whenever its registers were touched by something else.
__device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
// Until at most `groups` are in flight. Registers of the others may be read after it.
template <int groups>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(groups) : "memory");
}
// Keeps the compiler from moving reads of d to before the wait that stands before this.
template <int count>
__device__ __forceinline__ void keep_behind(int32_t (&d)[count]) {
#pragma unroll
  for (int i = 0; i < count; ++i) asm volatile("" : "+r"(d[i])::"memory");
}
template <int count>
__device__ __forceinline__ void keep_behind(float (&d)[count]) {
#pragma unroll
  for (int i = 0; i < count; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

#define KVASIR_32                                                                                        \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, " \
  "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define KVASIR_64                                                                                        \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, " \
  "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, " \
  "%42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, " \
  "%62, %63"
#define KVASIR_EIGHT(kind, d, i)                                                                              \
  kind(d[i]), kind(d[i + 1]), kind(d[i + 2]), kind(d[i + 3]), kind(d[i + 4]), kind(d[i + 5]), kind(d[i + 6]), \
      kind(d[i + 7])
#define KVASIR_32_OF(kind, d) \
  KVASIR_EIGHT(kind, d, 0), KVASIR_EIGHT(kind, d, 8), KVASIR_EIGHT(kind, d, 16), KVASIR_EIGHT(kind, d, 24)
#define KVASIR_64_OF(kind, d)                                                                             \
  KVASIR_32_OF(kind, d), KVASIR_EIGHT(kind, d, 32), KVASIR_EIGHT(kind, d, 40), KVASIR_EIGHT(kind, d, 48), \
      KVASIR_EIGHT(kind, d, 56)

// d[64, N] = a · b (+ d where it `adds`), N = 64 or 128; b: a matrix in shared memory, [N, K].
__device__ __forceinline__ void wgmma_s8(int32_t (&d)[32], const uint32_t* a, uint64_t b, bool adds) {
  asm volatile(
      "{ .reg .pred adds; setp.ne.b32 adds, %37, 0; wgmma.mma_async.sync.aligned.m64n64k32.s32.s8.s8 {" KVASIR_32
      "}, {%32, %33, %34, %35}, %36, adds; }"
      : KVASIR_32_OF("+r", d)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(int{adds}));
}
__device__ __forceinline__ void wgmma_s8(int32_t (&d)[64], const uint32_t* a, uint64_t b, bool adds) {
  asm volatile(
      "{ .reg .pred adds; setp.ne.b32 adds, %69, 0; wgmma.mma_async.sync.aligned.m64n128k32.s32.s8.s8 {" KVASIR_64
      "}, {%64, %65, %66, %67}, %68, adds; }"
      : KVASIR_64_OF("+r", d)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(int{adds}));
}
// Both operands in shared memory.
__device__ __forceinline__ void wgmma_s8(int32_t (&d)[32], uint64_t a, uint64_t b, bool adds) {
  asm volatile(
      "{ .reg .pred adds; setp.ne.b32 adds, %34, 0; wgmma.mma_async.sync.aligned.m64n64k32.s32.s8.s8 {" KVASIR_32
      "}, %32, %33, adds; }"
      : KVASIR_32_OF("+r", d)
      : "l"(a), "l"(b), "r"(int{adds}));
}
__device__ __forceinline__ void wgmma_bf16(float (&d)[32], const uint32_t* a, uint64_t b, bool adds) {
  asm volatile(
      "{ .reg .pred adds; setp.ne.b32 adds, %37, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" KVASIR_32
      "}, {%32, %33, %34, %35}, %36, adds, 1, 1, 0; }"
      : KVASIR_32_OF("+f", d)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(int{adds}));
}
__device__ __forceinline__ void wgmma_bf16(float (&d)[32], uint64_t a, uint64_t b, bool adds) {
  asm volatile(
      "{ .reg .pred adds; setp.ne.b32 adds, %34, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" KVASIR_32
      "}, %32, %33, adds, 1, 1, 0, 0; }"
      : KVASIR_32_OF("+f", d)
      : "l"(a), "l"(b), "r"(int{adds}));
}

__device__ __forceinline__ void wgmma_bf16(float (&d)[64], uint64_t a, uint64_t b, bool adds) {
  asm volatile(
      "{ .reg .pred adds; setp.ne.b32 adds, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" KVASIR_64
      "}, %64, %65, adds, 1, 1, 0, 0; }"
      : KVASIR_64_OF("+f", d)
      : "l"(a), "l"(b), "r"(int{adds}));
}
__device__ __forceinline__ void wgmma_f16(float (&d)[32], uint64_t a, uint64_t b, bool adds) {
  asm volatile(
      "{ .reg .pred adds; setp.ne.b32 adds, %34, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {" KVASIR_32
      "}, %32, %33, adds, 1, 1, 0, 0; }"
      : KVASIR_32_OF("+f", d)
      : "l"(a), "l"(b), "r"(int{adds}));
}
__device__ __forceinline__ void wgmma_f16(float (&d)[64], uint64_t a, uint64_t b, bool adds) {
  asm volatile(
      "{ .reg .pred adds; setp.ne.b32 adds, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {" KVASIR_64
      "}, %64, %65, adds, 1, 1, 0, 0; }"
      : KVASIR_64_OF("+f", d)
      : "l"(a), "l"(b), "r"(int{adds}));
}
// a in registers. `across`: b is a matrix [K, N], as matrix_across says.
template <bool across>
__device__ __forceinline__ void wgmma_f16(float (&d)[32], const uint32_t* a, uint64_t b, bool adds) {
  asm volatile(
      "{ .reg .pred adds; setp.ne.b32 adds, %37, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {" KVASIR_32
      "}, {%32, %33, %34, %35}, %36, adds, 1, 1, %38; }"
      : KVASIR_32_OF("+f", d)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(int{adds}), "n"(int{across}));
}
template <bool across>
__device__ __forceinline__ void wgmma_f16(float (&d)[64], const uint32_t* a, uint64_t b, bool adds) {
  asm volatile(
      "{ .reg .pred adds; setp.ne.b32 adds, %69, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {" KVASIR_64
      "}, {%64, %65, %66, %67}, %68, adds, 1, 1, %70; }"
      : KVASIR_64_OF("+f", d)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(int{adds}), "n"(int{across}));
}

#undef KVASIR_32
#undef KVASIR_64
#undef KVASIR_EIGHT
#undef KVASIR_32_OF
#undef KVASIR_64_OF

}  // namespace kvasir::cuda

#else

namespace kvasir::cuda {

using simt::fence_async;
using simt::fence_barrier_init;
using simt::wgmma_commit;
using simt::wgmma_fence;

inline void load_box(uint32_t to, const TensorMap* map, int column, int row, uint32_t barrier) {
  simt::load_box(to, *map, column, row, barrier);
}
template <int registers, int from = 0>
void give_registers() {
  static_assert(registers % 8 == 0 && registers >= 24 && registers <= 256);
  simt::set_registers(registers, false, from);
}
template <int registers, int from = 0>
void take_registers() {
  static_assert(registers % 8 == 0 && registers >= 24 && registers <= 256);
  simt::set_registers(registers, true, from);
}
template <int groups>
void wgmma_wait() {
  simt::wgmma_wait(groups);
}
template <typename T, int count>
void keep_behind(T (&)[count]) {}
template <int count>
void wgmma_s8(int32_t (&d)[count], const uint32_t* a, uint64_t b, bool adds) {
  simt::wgmma({simt::WgmmaKind::s8, count * 2, adds, a, 0, b}, d);
}
template <int count>
void wgmma_s8(int32_t (&d)[count], uint64_t a, uint64_t b, bool adds) {
  simt::wgmma({simt::WgmmaKind::s8, count * 2, adds, nullptr, a, b}, d);
}
inline void wgmma_bf16(float (&d)[32], const uint32_t* a, uint64_t b, bool adds) {
  simt::wgmma({simt::WgmmaKind::bf16, 64, adds, a, 0, b}, d);
}
template <int count>
void wgmma_bf16(float (&d)[count], uint64_t a, uint64_t b, bool adds) {
  simt::wgmma({simt::WgmmaKind::bf16, count * 2, adds, nullptr, a, b}, d);
}
template <int count>
void wgmma_f16(float (&d)[count], uint64_t a, uint64_t b, bool adds) {
  simt::wgmma({simt::WgmmaKind::f16, count * 2, adds, nullptr, a, b}, d);
}
template <bool across, int count>
void wgmma_f16(float (&d)[count], const uint32_t* a, uint64_t b, bool adds) {
  simt::wgmma({simt::WgmmaKind::f16, count * 2, adds, a, 0, b, across}, d);
}

}  // namespace kvasir::cuda

#endif
