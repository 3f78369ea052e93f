// embed: rows of a table in any format, unpacked with the rounding of native/formats/dequantize.cc. A token to a block.
#include "native/cuda/kernels.h"
#include "native/cuda/panel.h"

namespace kvasir::cuda {
namespace {

template <Dtype F>
__device__ __forceinline__ float value_at(const uint8_t* panel, const PanelShape& shape, int r, int k) {
  const int span = k / 64, half = k / 32 % 2, g = r % 8, lane = g * 4 + k % 16 / 4, reg = k / 16 % 2 * 2 + r / 8;
  SpanQuants<F> quants;
  quants.load(panel, shape, span, lane);
  uint32_t a[4];
  quants.unpack(half, a);
  const uint32_t word = reg < 2 ? reg == 0 ? a[0] : a[1] : reg == 2 ? a[2] : a[3];
  const float q = static_cast<float>(static_cast<int8_t>(word >> k % 4 * 8));
  const GroupScales s = load_scales<F>(panel, shape, k / 32, g);
  const float d = r < 8 ? s.d[0] : s.d[1];
  if constexpr (F == Dtype::q6_k) return (k % 32 < 16 ? d : r < 8 ? s.second[0] : s.second[1]) * q;
  if constexpr (has_minimum(F)) return d * q + (r < 8 ? s.m[0] : s.m[1]);
  return d * (q - static_cast<float>(zero_of(F)));
}

template <Dtype F>
__device__ __forceinline__ void unpack_row(const Weight& table, int row, float* y) {
  const PanelShape shape = panel_shape(F, table.cols);
  const uint8_t* panel = table.data + row / kPanelRows * shape.bytes;
  for (int k = static_cast<int>(threadIdx.x); k < table.cols; k += kRowThreads)
    y[k] = value_at<F>(panel, shape, row % kPanelRows, k);
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
