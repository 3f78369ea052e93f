// A group of 32 on tensor cores, and how its sums enter an output: the order of native/ops/linear.h.
//
// Sums start at the bits of 1.5 · 2²³, and so they are floats when they are read as such: no conversion.
#pragma once

#include "native/cuda/panel.h"

namespace kvasir::cuda {

constexpr int32_t kFloatBits = 0x4B400000;
constexpr float kFloatBase = 12582912.0f;
__device__ __forceinline__ float to_float(int32_t sum) { return __int_as_float(sum) - kFloatBase; }

// The exact sums of one group: outputs g, g + 8 by tokens 2t, 2t + 1. q6_k has those of its second half too.
template <Dtype F>
struct GroupDots {
  int32_t first[4], second[F == Dtype::q6_k ? 4 : 1];

  // b: this lane's words of the token's group.
  __device__ __forceinline__ void multiply(const uint32_t* a, const uint32_t* b) {
#pragma unroll
    for (int i = 0; i < 4; ++i) first[i] = kFloatBits;
    if constexpr (F == Dtype::q6_k) {
#pragma unroll
      for (int i = 0; i < 4; ++i) second[i] = kFloatBits;
      mma_s8_k16(first, a, b[0]);
      mma_s8_k16(second, a + 2, b[1]);
    } else {
      mma_s8(first, a, b);
    }
  }
};

}  // namespace kvasir::cuda
