// linear with float weights: an output to a thread, sixteen partial sums in ascending k and their tree
// (native/ops/linear.h). A block has 16 outputs and 8 tokens.
#include "native/cuda/kernels.h"
#include "native/cuda/linear.h"

namespace kvasir::cuda {
namespace {

template <Dtype F, typename Bits>
__device__ __forceinline__ float widen(Bits bits) {
  if constexpr (F == Dtype::f16) return from_f16(bits);
  if constexpr (F == Dtype::bf16) return from_bf16(bits);
  return bits;
}

template <Dtype F, typename Bits>
__device__ __forceinline__ void multiply(const Linear& op) {
  const int token = static_cast<int>(blockIdx.y * kFloatTokens + threadIdx.x / kPanelRows);
  const PanelPlace place = find_panel(op, F, static_cast<int>(blockIdx.x));
  if (place.segment < 0 || token >= op.x.rows) return;
  const Linear::Segment& segment = op.segment[place.segment];
  const int row = place.panel * kPanelRows + static_cast<int>(threadIdx.x % kPanelRows);
  const Bits* w = reinterpret_cast<const Bits*>(segment.w.data) + int64_t{row} * segment.w.cols;
  const float* x = op.x.f32(token);
  float sums[16] = {};
  int k = 0;
  for (; k + 16 <= segment.w.cols; k += 16)
#pragma unroll
    for (int j = 0; j < 16; ++j) sums[j] = fmaf(widen<F>(w[k + j]), x[k + j], sums[j]);
#pragma unroll
  for (int j = 0; j < 16; ++j)
    if (k + j < segment.w.cols) sums[j] = fmaf(widen<F>(w[k + j]), x[k + j], sums[j]);
#pragma unroll
  for (int by = 8; by > 0; by /= 2)
#pragma unroll
    for (int j = 0; j < by; ++j) sums[j] += sums[j + by];
  store_output(op, segment, token, row, sums[0]);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kFloatTokens* kPanelRows) linear_f32(const __grid_constant__ Linear op) {
  multiply<Dtype::f32, float>(op);
}
extern "C" __global__ void __launch_bounds__(kFloatTokens* kPanelRows) linear_f16(const __grid_constant__ Linear op) {
  multiply<Dtype::f16, uint16_t>(op);
}
extern "C" __global__ void __launch_bounds__(kFloatTokens* kPanelRows) linear_bf16(const __grid_constant__ Linear op) {
  multiply<Dtype::bf16, uint16_t>(op);
}

}  // namespace kvasir::cuda
