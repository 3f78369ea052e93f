// rms_norm: a row to a block. Reads x twice; the second time it comes from the cache.
#include "native/cuda/kernels.h"
#include "native/cuda/reduce.h"

using namespace kvasir::cuda;

namespace {

__device__ __forceinline__ void store4(float* y, const float* v) { store16(y, v); }
__device__ __forceinline__ void store4(uint16_t* y, const float* v) {
  auto* pairs = reinterpret_cast<uint32_t*>(y);
  pairs[0] = pack_bf16(v[0], v[1]);
  pairs[1] = pack_bf16(v[2], v[3]);
}

template <typename Out>
__device__ __forceinline__ void rms_norm(const float* x, const float* w, Out* y, int dim, float eps) {
  const size_t row = static_cast<size_t>(blockIdx.x) * dim;
  float sum = 0.0f;
  for (int i = threadIdx.x * 4; i < dim; i += 512) {
    float v[4];
    load16(v, x + row + i);
    for (int j = 0; j < 4; ++j) sum = fmaf(v[j], v[j], sum);
  }
  const float mean = block_sum(sum, reinterpret_cast<float*>(shared_memory())) / static_cast<float>(dim);
  const float by = 1.0f / sqrtf(mean + eps);
  for (int i = threadIdx.x * 4; i < dim; i += 512) {
    float v[4], scale[4];
    load16(v, x + row + i);
    load16(scale, w + i);
    for (int j = 0; j < 4; ++j) v[j] = v[j] * by * scale[j];
    store4(y + row + i, v);
  }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(128)
    rms_norm_f32(const float* x, const float* w, float* y, int dim, float eps) {
  rms_norm(x, w, y, dim, eps);
}

extern "C" __global__ void __launch_bounds__(128)
    rms_norm_bf16(const float* x, const float* w, uint16_t* y, int dim, float eps) {
  rms_norm(x, w, y, dim, eps);
}
