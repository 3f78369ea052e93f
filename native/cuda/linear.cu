// linear with quantised weights: y = x · Wᵀ by mma.sync m16n8k32 on 8-bit integers, the weights as first operand, 16
// outputs to a warp, and the tokens as second. One mma is one group of 32, so its sums are what native/ops/linear.h adds up
// in ascending order: the same bits as on every device, and for any number of tokens.
//
// Sums start at the bits of 1.5 · 2²³, and so they are floats when they are read as such: no conversion.
#include "native/cuda/kernels.h"
#include "native/cuda/linear.h"

namespace kvasir::cuda {
namespace {

constexpr int32_t kFloatBits = 0x4B400000;
constexpr float kFloatBase = 12582912.0f;
__device__ __forceinline__ float to_float(int32_t sum) { return __int_as_float(sum) - kFloatBase; }

// The tokens of a lane: column g of each tile for the products, columns 2t and 2t + 1 for the sums.
template <Dtype F, int kTiles>
__device__ __forceinline__ void multiply(const Linear& op, LinearTile tile) {
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int g = lane / 4, t = lane % 4, first = static_cast<int>(blockIdx.y) * tile.tokens;
  const PanelPlace place = find_panel(op, F, static_cast<int>(blockIdx.x) * tile.warps + warp);
  if (place.segment < 0) return;
  const Linear::Segment& segment = op.segment[place.segment];
  const PanelShape shape = panel_shape(F, segment.w.cols);
  const uint8_t* panel = segment.w.data + place.panel * shape.bytes;
  const int groups = segment.w.cols / kGroup;
  const auto within = [&](int token) { return min(token, op.x.rows - 1); };

  float sums[kTiles][4] = {};
  for (int span = 0; span * 2 < groups; ++span) {
    SpanQuants<F> quants;
    quants.load(panel, shape, span, lane);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int group = span * 2 + half;
      if (group >= groups) break;
      uint32_t a[4];
      quants.unpack(half, a);
      const GroupScales s = load_scales<F>(panel, shape, group, g);
#pragma unroll
      for (int n = 0; n < kTiles; ++n) {
        const int8_t* x = op.x.q(within(first + n * 8 + g)) + group * kGroup + t * 4;
        const uint32_t b[2] = {*reinterpret_cast<const uint32_t*>(x), *reinterpret_cast<const uint32_t*>(x + 16)};
        float scale[2], sum[2];
        int32_t dot[4], second[4];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const int token = within(first + n * 8 + t * 2 + i);
          const int32_t of_x = op.x.sum(token)[group];
          scale[i] = op.x.scale(token)[group];
          sum[i] = static_cast<float>(of_x);
          dot[i] = dot[i + 2] = F == Dtype::q6_k ? kFloatBits : kFloatBits - zero_of(F) * of_x;
          second[i] = second[i + 2] = kFloatBits;
        }
        if constexpr (F == Dtype::q6_k) {
          mma_s8_k16(dot, a, b[0]);
          mma_s8_k16(second, a + 2, b[1]);
        } else {
          mma_s8(dot, a, b);
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          float& acc = sums[n][i];
          acc = fmaf(to_float(dot[i]), s.d[i / 2] * scale[i % 2], acc);
          if constexpr (F == Dtype::q6_k) acc = fmaf(to_float(second[i]), s.second[i / 2] * scale[i % 2], acc);
          if constexpr (has_minimum(F)) acc = fmaf(s.m[i / 2], scale[i % 2] * sum[i % 2], acc);
        }
      }
    }
  }
#pragma unroll
  for (int i = 0; i < kTiles * 4; ++i) {
    const int row = place.panel * kPanelRows + g + i / 2 % 2 * 8, token = first + i / 4 * 8 + t * 2 + i % 2;
    store_output(op, segment, token, row, sums[i / 4][i % 4]);
  }
}

}  // namespace

#define KVASIR_LINEAR(format)                                          \
  extern "C" __global__ void __launch_bounds__(kNarrowTile.warps * 32) \
      linear_##format##_narrow(const __grid_constant__ Linear op) {    \
    multiply<Dtype::format, kNarrowTile.tokens / 8>(op, kNarrowTile);  \
  }                                                                    \
  extern "C" __global__ void __launch_bounds__(kWideTile.warps * 32)   \
      linear_##format##_wide(const __grid_constant__ Linear op) {      \
    multiply<Dtype::format, kWideTile.tokens / 8>(op, kWideTile);      \
  }
KVASIR_QUANTISED_FORMATS(KVASIR_LINEAR)
#undef KVASIR_LINEAR

}  // namespace kvasir::cuda
