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
