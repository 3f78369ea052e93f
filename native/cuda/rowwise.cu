// The ops that treat every value or group of 32 alone: quantize, swiglu, add, and the copy of pages.
#include "native/cuda/kernels.h"
#include "native/cuda/numbers.h"

namespace kvasir::cuda {
namespace {

__device__ __forceinline__ int my_column() { return static_cast<int>(blockIdx.x * kRowThreads + threadIdx.x); }

}  // namespace

extern "C" __global__ void __launch_bounds__(kRowThreads) quantize(const __grid_constant__ Quantize op) {
  const int row = static_cast<int>(blockIdx.y), column = my_column();
  if (column < op.y.dim) quantize_group(op.x.f32(row)[column], op.y, row, column);
}

extern "C" __global__ void __launch_bounds__(kRowThreads) swiglu(const __grid_constant__ SwiGlu op) {
  const int row = static_cast<int>(blockIdx.y), column = my_column();
  if (column >= op.y.dim) return;
  const float gate = op.x.f32(row)[column], up = op.x.f32(row)[op.y.dim + column];
  const float product = gate / (1.0f + exp_of(0.0f - gate)) * up;
  if (op.y.dtype == Dtype::act8)
    quantize_group(product, op.y, row, column);
  else
    op.y.f32(row)[column] = product;
}

extern "C" __global__ void __launch_bounds__(kRowThreads) add(const __grid_constant__ Add op) {
  const int row = static_cast<int>(blockIdx.y), column = my_column();
  if (column < op.y.dim) op.y.f32(row)[column] += op.x.f32(row)[column];
}

// A block to a row. bf16 holds what f32 does; f16 gets rows whose largest value is at least 2¹⁵ divided.
extern "C" __global__ void __launch_bounds__(kRowThreads) round_rows(const __grid_constant__ RoundRows op) {
  const int row = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  const float* x = op.x.f32(row);
  uint16_t* y = op.y + int64_t{row} * op.x.dim;
  float by = 1.0f, scale = 1.0f;
  if (op.dtype == Dtype::f16) {
    int top = 0;
    for (int i = thread; i < op.x.dim; i += kRowThreads) top = max(top, magnitude(x[i]));
    top = max_over<32>(top);
    auto* tops = reinterpret_cast<int*>(shared_memory());
    if (thread % 32 == 0) tops[thread / 32] = top;
    __syncthreads();
    for (int w = 0; w < static_cast<int>(kRowThreads / 32); ++w) top = max(top, tops[w]);
    const int exponent = (top >> 23) - 127 - 14;
    if (exponent > 0 && top < 0x7F800000) {
      scale = __int_as_float((127 + exponent) << 23);
      by = __int_as_float((127 - exponent) << 23);
    }
  }
  for (int i = 2 * thread; i < op.x.dim; i += 2 * kRowThreads) {
    float pair[2];
    load8(pair, x + i);
    const uint32_t both = op.dtype == Dtype::f16 ? pack_f16(pair[0] * by, pair[1] * by) : pack_bf16(pair[0], pair[1]);
    *reinterpret_cast<uint32_t*>(y + i) = both;
  }
  if (thread == 0) op.scale[row] = scale;
}

extern "C" __global__ void __launch_bounds__(kRowThreads) copy_pages(const __grid_constant__ CopyPages op) {
  const int32_t* pair = op.pairs + 2 * blockIdx.y;
  const uint8_t* from = op.base + pair[0] * op.page_bytes;
  uint8_t* to = op.base + pair[1] * op.page_bytes;
  const int64_t step = int64_t{16} * kRowThreads * gridDim.x;
  for (int64_t i = int64_t{16} * my_column(); i < op.page_bytes; i += step) {
    uint32_t words[4];
    load16(words, reinterpret_cast<const uint32_t*>(from + i));
    store16(reinterpret_cast<uint32_t*>(to + i), words);
  }
}

}  // namespace kvasir::cuda
