// rms_norm: a row to a block. The mean of squares takes sixteen partial sums in ascending order and then their tree, as on
// every device: half a warp adds up what the block has brought near.
#include "native/cuda/kernels.h"
#include "native/cuda/numbers.h"

namespace kvasir::cuda {
namespace {

// Σx² by the first 16 lanes; `x` [dim].
__device__ __forceinline__ float sum_of_squares(const float* x, int dim) {
  constexpr int kAhead = 8;  // loads in flight
  const int lane = static_cast<int>(threadIdx.x % 16);
  float sum = 0.0f;
  int i = lane;
  for (; i + 16 * (kAhead - 1) < dim; i += 16 * kAhead) {
    float v[kAhead];
#pragma unroll
    for (int j = 0; j < kAhead; ++j) v[j] = x[i + 16 * j];
#pragma unroll
    for (int j = 0; j < kAhead; ++j) sum = fmaf(v[j], v[j], sum);
  }
  for (; i < dim; i += 16) sum = fmaf(x[i], x[i], sum);
  return sum_over<16>(sum);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kRowThreads) rms_norm(const __grid_constant__ RmsNorm op) {
  const int row = static_cast<int>(blockIdx.x), dim = op.y.dim;
  const float* x = op.x.f32(op.index ? op.index[row] : row);
  auto* shared = reinterpret_cast<float*>(shared_memory());
  if (threadIdx.x < 32) {
    const float sum = sum_of_squares(x, dim);  // the upper half of the warp does the same again
    if (threadIdx.x == 0) *shared = 1.0f / sqrtf(sum / static_cast<float>(dim) + op.eps);
  }
  __syncthreads();
  const float by = *shared;
  for (int i = static_cast<int>(threadIdx.x); i < dim; i += kRowThreads) {
    const float value = x[i] * by * op.w[i];
    if (op.y.dtype == Dtype::act8)
      quantize_group(value, op.y, row, i);
    else
      op.y.f32(row)[i] = value;
  }
}

}  // namespace kvasir::cuda
