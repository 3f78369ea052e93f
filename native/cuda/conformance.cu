// Case i is block i: kConformance[i].
#include "native/cuda/conformance.h"

#include "native/cuda/ptx.h"

namespace kvasir::cuda {
namespace {

__device__ __forceinline__ float small(uint32_t bits) { return static_cast<float>(static_cast<int>(bits % 17) - 8); }
__device__ __forceinline__ uint32_t small_pair(uint32_t bits, bool half) {
  const float low = small(bits), high = small(bits >> 16);
  return half ? to_f16(low) | uint32_t{to_f16(high)} << 16 : pack_bf16(low, high);
}
// What is not NaN or infinite: their bits may differ.
__device__ __forceinline__ uint16_t finite_f16(uint32_t bits) { return static_cast<uint16_t>(bits & 0xBFFF); }
__device__ __forceinline__ float finite_f32(uint32_t bits) { return __uint_as_float(bits & 0xBFFFFFFFu); }

// d [4] = a · b + in[6…] of the two last words of each lane.
__device__ __forceinline__ void multiply(int which, const uint32_t* in, uint32_t* out) {
  if (which == 3 || which == 4) {
    uint32_t a[4], b[2];
    for (int i = 0; i < 4; ++i) a[i] = small_pair(in[i], which == 4);
    for (int i = 0; i < 2; ++i) b[i] = small_pair(in[4 + i], which == 4);
    float d[4] = {small(in[6]), small(in[6] >> 8), small(in[7]), small(in[7] >> 8)};
    which == 3 ? mma_bf16(d, a, b) : mma_f16(d, a, b);
    for (int i = 0; i < 4; ++i) out[i] = __float_as_uint(d[i]);
    return;
  }
  int32_t d[4] = {static_cast<int32_t>(in[6]), 1, static_cast<int32_t>(in[7]), -1};
  if (which == 5) mma_s8(d, in, in + 4);
  if (which == 6) mma_u8(d, in, in + 4);
  if (which == 7) mma_s8_k16(d, in, in[4]);
  for (int i = 0; i < 4; ++i) out[i] = static_cast<uint32_t>(d[i]);
}

__device__ __forceinline__ void through_shared(int which, const uint32_t* from, const uint32_t* in, uint32_t* out) {
  const int lane = static_cast<int>(threadIdx.x);
  auto* own = reinterpret_cast<uint32_t*>(shared_memory()) + lane * kConformanceWords;
  for (int i = 0; i < kConformanceWords; ++i) own[i] = which >= 13 ? 0xFFFFFFFFu : in[i];
  const uint32_t row = shared_offset(own);
  if (which == 13) {
    copy_async16(row, from, lane % 2 ? 16 : 0);
    copy_async16(row + 16, from + 4, 16);
  }
  if (which == 14) copy_async4(row + 4, from + 1, lane % 3 ? 4 : 0);
  copy_commit();
  copy_wait<0>();
  __syncthreads();
  if (which == 1) ldmatrix_x4(out, row);
  if (which == 2) ldmatrix_x4_transposed(out, row);
  if (which < 13) return;
  load_shared16(out, row);
  for (int i = 4; i < kConformanceWords; ++i) out[i] = load_shared(row + i * 4);
}

__device__ __forceinline__ void alone(int which, const uint32_t* in, uint32_t* out) {
  if (which == 8) {
    out[0] = static_cast<uint32_t>(dot4(in[0], in[1], static_cast<int>(in[2])));
    out[1] = static_cast<uint32_t>(dot2_low(in[3], in[4], static_cast<int>(in[5])));
    out[2] = static_cast<uint32_t>(dot2_high(in[3], in[4], static_cast<int>(in[5])));
  }
  if (which == 9) {
    out[0] = permute<0x5410>(in[0], in[1]);
    out[1] = permute<0x7632>(in[0], in[1]);
    out[2] = permute<0x6240>(in[2], in[3]);
  }
  for (int i = 0; i < kConformanceWords; ++i) {
    if (which == 10) out[i] = __float_as_uint(from_f16(finite_f16(in[i])));
    if (which == 11) out[i] = to_f16(finite_f32(in[i]));
    if (which == 12)
      out[i] = i % 2 ? __float_as_uint(from_bf16(static_cast<uint16_t>(in[i])))
                     : pack_bf16(finite_f32(in[i]), finite_f32(in[i + 1]));
  }
}

__device__ __forceinline__ void together(int which, const uint32_t* in, uint32_t* out) {
  constexpr uint32_t kAll = 0xFFFFFFFFu;
  if (which == 16) {
    for (int i = 0; i < kConformanceWords; ++i) out[i] = __ballot_sync(kAll, in[i] & 1);
    return;
  }
  out[0] = __shfl_sync(kAll, in[0], static_cast<int>(in[1] % 32));
  out[1] = __shfl_xor_sync(kAll, in[2], 5);
  out[2] = __shfl_down_sync(kAll, in[3], 7);
  out[3] = __shfl_up_sync(kAll, in[4], 9);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(32) conformance(const __grid_constant__ Conformance op) {
  const int which = static_cast<int>(blockIdx.x);
  const size_t at = (static_cast<size_t>(which) * 32 + threadIdx.x) * kConformanceWords;
  const uint32_t* from = op.in + at;
  uint32_t in[kConformanceWords], out[kConformanceWords] = {};
  load16(in, from);
  load16(in + 4, from + 4);
  if (which == 0) {
    for (int i = 0; i < kConformanceWords; ++i) out[i] = in[i];
  } else if (which <= 2 || which == 13 || which == 14) {
    through_shared(which, from, in, out);
  } else if (which <= 7) {
    multiply(which, in, out);
  } else if (which <= 12) {
    alone(which, in, out);
  } else {
    together(which, in, out);
  }
  store16(op.out + at, out);
  store16(op.out + at + 4, out + 4);
}

}  // namespace kvasir::cuda
