// linear with float weights: an output to a thread, sixteen partial sums in ascending k and their tree
// (native/ops/linear.h). A thread reads sixteen weights at a time, which fill their sectors.
#include "native/cuda/kernels.h"
#include "native/cuda/linear.h"

namespace kvasir::cuda {
namespace {

constexpr int kPartials = 16;

template <Dtype F, typename Bits>
__device__ __forceinline__ float widen(Bits bits) {
  if constexpr (F == Dtype::f16) return from_f16(bits);
  if constexpr (F == Dtype::bf16) return from_bf16(bits);
  return bits;
}

// partials += w · x for k, k + 1, … k + 15. `aligned`: the row's weights may be read 16 bytes at a time.
template <Dtype F, typename Bits>
__device__ __forceinline__ void add_sixteen(const Bits* w, const float* x, bool aligned, float* partials) {
  alignas(16) Bits weights[kPartials];
  alignas(16) float values[kPartials];
  constexpr int kEach = 16 / sizeof(Bits);
#pragma unroll
  for (int j = 0; j < kPartials; j += 4) load16(values + j, x + j);
#pragma unroll
  for (int j = 0; j < kPartials; j += kEach) {
    if (aligned) {
      load16(weights + j, w + j);
    } else {
#pragma unroll
      for (int i = 0; i < kEach; ++i) weights[j + i] = w[j + i];
    }
  }
#pragma unroll
  for (int j = 0; j < kPartials; ++j) partials[j] = fmaf(widen<F>(weights[j]), values[j], partials[j]);
}

template <Dtype F, typename Bits>
__device__ __forceinline__ void multiply(const Linear& op) {
  const uint32_t tokens = float_tokens(op.x.rows), unit = threadIdx.x / kPanelRows;
  const int token = static_cast<int>(blockIdx.y * tokens + unit % tokens);
  const PanelPlace place = find_panel(op, F, static_cast<int>(blockIdx.x * float_panels(op.x.rows) + unit / tokens));
  if (place.segment < 0 || token >= op.x.rows) return;
  const Linear::Segment& segment = op.segment[place.segment];
  const int row = place.panel * kPanelRows + static_cast<int>(threadIdx.x % kPanelRows), cols = segment.w.cols;
  const Bits* w = reinterpret_cast<const Bits*>(segment.w.data) + int64_t{row} * cols;
  const float* x = op.x.f32(token);
  const bool aligned = cols * sizeof(Bits) % 16 == 0;
  float partials[kPartials] = {};
  int k = 0;
#pragma unroll 2
  for (; k + kPartials <= cols; k += kPartials) add_sixteen<F>(w + k, x + k, aligned, partials);
#pragma unroll
  for (int j = 0; j < kPartials; ++j)
    if (k + j < cols) partials[j] = fmaf(widen<F>(w[k + j]), x[k + j], partials[j]);
      // Counted so that the compiler unrolls it: partials would leave the registers.
#pragma unroll
  for (int level = 3; level >= 0; --level)
#pragma unroll
    for (int j = 0; j < kPartials / 2; ++j)
      if (j < 1 << level) partials[j] += partials[j + (1 << level)];
  store_output(op, segment, token, row, partials[0]);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kFloatThreads) linear_f32(const __grid_constant__ Linear op) {
  multiply<Dtype::f32, float>(op);
}
extern "C" __global__ void __launch_bounds__(kFloatThreads) linear_f16(const __grid_constant__ Linear op) {
  multiply<Dtype::f16, uint16_t>(op);
}
extern "C" __global__ void __launch_bounds__(kFloatThreads) linear_bf16(const __grid_constant__ Linear op) {
  multiply<Dtype::bf16, uint16_t>(op);
}

}  // namespace kvasir::cuda
