// CUDA C++ as a kernel's source sees it, for an ordinary compiler: keywords, built-in variables, barriers, shuffles and
// votes, atomics. Kernels include native/cuda/ptx.h, which brings this in.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "native/simt/instructions.h"
#include "native/simt/machine.h"

#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __grid_constant__
#define __launch_bounds__(...)
#define __restrict__ __restrict

using std::isfinite;
using std::max;
using std::min;
using dim3 = kvasir::simt::Dim3;

// Calls, not variables: a variable's reads would be taken for the kernel's own.
#define threadIdx (::kvasir::simt::thread_index())
#define blockIdx (::kvasir::simt::block_index())
#define blockDim (::kvasir::simt::block_size())
#define gridDim (::kvasir::simt::grid_size())

inline void __syncthreads() {
  const dim3 size = blockDim;
  kvasir::simt::barrier_sync(0, static_cast<int>(size.x * size.y * size.z));
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) { kvasir::simt::sync_warp(mask); }

template <typename T>
T __shfl_sync(unsigned mask, T value, int lane) {
  return kvasir::simt::shuffle(mask, value, kvasir::simt::Shuffle::index, lane);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  return kvasir::simt::shuffle(mask, value, kvasir::simt::Shuffle::exclusive_or, lanes);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned lanes) {
  return kvasir::simt::shuffle(mask, value, kvasir::simt::Shuffle::down, static_cast<int>(lanes));
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned lanes) {
  return kvasir::simt::shuffle(mask, value, kvasir::simt::Shuffle::up, static_cast<int>(lanes));
}
inline unsigned __ballot_sync(unsigned mask, int predicate) { return kvasir::simt::ballot(mask, predicate != 0); }
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == mask; }

inline float __int_as_float(int bits) { return __builtin_bit_cast(float, bits); }
inline int __float_as_int(float value) { return __builtin_bit_cast(int, value); }
inline float __uint_as_float(unsigned bits) { return __builtin_bit_cast(float, bits); }
inline unsigned __float_as_uint(float value) { return __builtin_bit_cast(unsigned, value); }
// To nearest, ties to even; NaN gives 0.
inline int __float2int_rn(float value) { return value == value ? static_cast<int>(std::nearbyintf(value)) : 0; }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }

template <typename T>
T atomicAdd(T* address, T value) {
  return kvasir::simt::atomic(address, [value](T old) { return old + value; });
}
template <typename T>
T atomicMax(T* address, T value) {
  return kvasir::simt::atomic(address, [value](T old) { return old > value ? old : value; });
}
template <typename T>
T atomicExch(T* address, T value) {
  return kvasir::simt::atomic(address, [value](T) { return value; });
}
template <typename T>
T atomicCAS(T* address, T expected, T value) {
  return kvasir::simt::atomic(address, [=](T old) { return old == expected ? value : old; });
}
