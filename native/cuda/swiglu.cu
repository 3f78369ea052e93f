// swiglu: eight columns to a thread, so that it writes 16 bytes.
#include "native/cuda/kernels.h"

using namespace kvasir::cuda;

extern "C" __global__ void __launch_bounds__(128) swiglu_bf16(const float* x, uint16_t* y, int dim) {
  const int column = static_cast<int>(blockIdx.x * 128 + threadIdx.x) * 8;
  if (column >= dim) return;
  const float* gate = x + static_cast<size_t>(blockIdx.y) * 2 * dim + column;
  float g[8], up[8];
  for (int half = 0; half < 8; half += 4) {
    load16(g + half, gate + half);
    load16(up + half, gate + dim + half);
  }
  for (int i = 0; i < 8; ++i) g[i] = g[i] / (1.0f + expf(-g[i])) * up[i];
  uint32_t pairs[4];
  for (int i = 0; i < 4; ++i) pairs[i] = pack_bf16(g[2 * i], g[2 * i + 1]);
  store16(reinterpret_cast<uint32_t*>(y + static_cast<size_t>(blockIdx.y) * dim + column), pairs);
}
