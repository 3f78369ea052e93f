// Sums over a block of 128 threads.
#pragma once

#include "native/cuda/ptx.h"

namespace kvasir::cuda {

// The sum of `value` over the block, the same bits in every thread. `scratch`: four floats of shared memory.
__device__ __forceinline__ float block_sum(float value, float* scratch) {
  for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(0xFFFFFFFFu, value, lanes);
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = value;
  __syncthreads();
  return (scratch[0] + scratch[1]) + (scratch[2] + scratch[3]);
}

}  // namespace kvasir::cuda
