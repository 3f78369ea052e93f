// embed: rows of a table in any format, unpacked with the rounding of native/formats/dequantize.cc. A token to a block.
#include "native/cuda/kernels.h"
#include "native/cuda/panel.h"

namespace kvasir::cuda {
namespace {

// A span of a row to a warp; only the eight lanes that hold the row's values have something to write.
template <Dtype F>
__device__ __forceinline__ void unpack_row(const Weight& table, int row, float* y) {
  const PanelShape shape = panel_shape(F, table.cols);
  const uint8_t* panel = table.data + row / kPanelRows * shape.bytes;
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32), low_row = row / 8 % 2;
  for (int span = warp; span * 64 < table.cols; span += kRowThreads / 32) {
    Span<F> quants;
    quants.load(panel, shape, span);
    if (lane / 4 != row % 8) continue;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      uint32_t a[4];
      quants.unpack(half, a);
      const GroupScales s = quants.scales(half);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const int k = span * 64 + half * 32 + i / 4 * 16 + lane % 4 * 4 + i % 4;
        const uint32_t word = low_row ? a[i / 4 * 2 + 1] : a[i / 4 * 2];
        const float q = static_cast<float>(static_cast<int8_t>(word >> i % 4 * 8));
        const float d = low_row ? s.d[1] : s.d[0];
        if (k >= table.cols) continue;
        if constexpr (F == Dtype::q6_k)
          y[k] = (i < 4 ? d : low_row ? s.second[1] : s.second[0]) * q;
        else if constexpr (has_minimum(F))
          y[k] = d * q + (low_row ? s.m[1] : s.m[0]);
        else
          y[k] = d * q;
      }
    }
  }
}

__device__ __forceinline__ void copy_row(const Weight& table, int row, float* y) {
  for (int k = static_cast<int>(threadIdx.x); k < table.cols; k += kRowThreads) {
    const int64_t at = int64_t{row} * table.cols + k;
    if (table.dtype == Dtype::f32)
      y[k] = reinterpret_cast<const float*>(table.data)[at];
    else if (table.dtype == Dtype::f16)
      y[k] = from_f16(reinterpret_cast<const uint16_t*>(table.data)[at]);
    else
      y[k] = from_bf16(reinterpret_cast<const uint16_t*>(table.data)[at]);
  }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kRowThreads) embed(const __grid_constant__ Embed op) {
  const int t = static_cast<int>(blockIdx.x);
  int32_t row = op.tokens[t] < 0 ? op.last_sampled[-1 - op.tokens[t]] : op.tokens[t];
  // A slot that has sampled nothing yet holds −1; a row that nobody may ask for reads as the first.
  if (row < 0 || row >= op.table.rows) row = 0;
  float* y = op.y.f32(t);
  switch (op.table.dtype) {
#define KVASIR_UNPACK(format) \
  case Dtype::format:         \
    return unpack_row<Dtype::format>(op.table, row, y);
    KVASIR_QUANTISED_FORMATS(KVASIR_UNPACK)
#undef KVASIR_UNPACK
    default:
      return copy_row(op.table, row, y);
  }
}

}  // namespace kvasir::cuda
