// The arithmetic that all devices share, so that their results have the same bits: native/cpu/vec.h says the same for
// vectors. Compiled without contraction: a fused multiply-add is written where it is meant.
#pragma once

#include "native/cuda/ptx.h"
#include "native/ops/rows.h"

namespace kvasir::cuda {

constexpr uint32_t kAllLanes = 0xFFFFFFFFu;

// e^x, as in native/cpu/vec.h.
__device__ __forceinline__ float exp_of(float x) {
  constexpr float kRound = 12582912.0f;
  const bool vanishes = x < -87.33f;
  x = fmaxf(-87.33f, fminf(88.0f, x));
  const float shifted = fmaf(x, 1.44269504f, kRound), n = shifted - kRound;
  const float r = fmaf(n, 2.12194440e-4f, fmaf(n, -0.693359375f, x));
  float p = 1.9875691500e-4f;
  p = fmaf(p, r, 1.3981999507e-3f);
  p = fmaf(p, r, 8.3334519073e-3f);
  p = fmaf(p, r, 4.1665795894e-2f);
  p = fmaf(p, r, 1.6666665459e-1f);
  p = fmaf(p, r, 5.0000001201e-1f);
  p = fmaf(p, r * r, r) + 1.0f;
  const int exponent = (__float_as_int(shifted) - __float_as_int(kRound)) << 23;
  return vanishes ? 0.0f : __int_as_float(__float_as_int(p) + exponent);
}

// The scale of values up to `top` as s8, and its inverse.
struct Quantum {
  float scale, inverse;
};
__device__ __forceinline__ Quantum quantum_of(float top) {
  if (top < 1e-35f) return {0.0f, 0.0f};
  return {top / 127.0f, 127.0f / top};
}
__device__ __forceinline__ int quantized(float x, float inverse) {
  const float scaled = x * inverse;
  return scaled == scaled ? __float2int_rn(scaled) : -128;
}

// |x| in the order of its bits, so that NaN is the largest of all.
__device__ __forceinline__ int magnitude(float x) { return __float_as_int(x) & 0x7FFFFFFF; }

// Over the lanes whose numbers differ in the bits of `lanes` − 1 (a power of two) only.
template <int lanes, typename T>
__device__ __forceinline__ T max_over(T x) {
#pragma unroll
  for (int by = lanes / 2; by > 0; by /= 2) x = max(x, __shfl_xor_sync(kAllLanes, x, by));
  return x;
}
template <int lanes, typename T>
__device__ __forceinline__ T sum_over(T x) {
#pragma unroll
  for (int by = lanes / 2; by > 0; by /= 2) x += __shfl_xor_sync(kAllLanes, x, by);
  return x;
}

// The warp's 32 values as one group of an act8 row, a value a lane.
__device__ __forceinline__ void quantize_group(float x, const Rows& y, int row, int column) {
  const Quantum quantum = quantum_of(__int_as_float(max_over<32>(magnitude(x))));
  const int q = quantized(x, quantum.inverse);
  const int sum = sum_over<32>(q);
  y.q(row)[column] = static_cast<int8_t>(q);
  if (threadIdx.x % 32 != 0) return;
  y.scale(row)[column / kGroup] = quantum.scale;
  y.sum(row)[column / kGroup] = sum;
}

}  // namespace kvasir::cuda
