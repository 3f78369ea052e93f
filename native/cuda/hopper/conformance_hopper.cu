// Case i is block i: kHopperConformance[i].
#include "native/cuda/hopper/conformance_hopper.h"

#include "native/cuda/ptx_hopper.h"

namespace kvasir::cuda {
namespace {

constexpr uint32_t kMatrix = kHopperRows * kHopperCols, kBarrier = 2 * kMatrix;

__device__ __forceinline__ float small(uint32_t bits) { return static_cast<float>(static_cast<int>(bits % 17) - 8); }
__device__ __forceinline__ uint32_t small_pair(uint32_t bits) {
  return pack_bf16(small(bits & 255), small(bits >> 8 & 255));
}

// What landed at the beginning of shared memory, as it lies there.
__device__ __forceinline__ void dump(int bytes, uint32_t base, uint32_t* out) {
  for (int i = 0; i < kHopperWords; ++i) {
    const int at = (i * 128 + static_cast<int>(threadIdx.x)) * 4;
    out[i] = at < bytes ? load_shared(base + at) : 0;
  }
}

__device__ __forceinline__ uint32_t small_halves(uint32_t bits) {
  return pack_f16(small(bits & 255), small(bits >> 8 & 255));
}

// [64, 16] integers of 16 bits, rows of 32 bytes in swizzled ones of 128, behind the matrix; or [16, 64] of them, twice.
template <typename Pair>
__device__ __forceinline__ void write(const uint32_t* in, unsigned char* to, bool across, Pair pair) {
  for (int i = static_cast<int>(threadIdx.x); i < 64 * 8 * (across ? 2 : 1); i += 128)
    *reinterpret_cast<uint32_t*>(to + swizzled(across ? i * 4 : i / 8 * 128 + i % 8 * 4, Swizzle::bytes128)) =
        pair(in[i]);
  fence_async();
  __syncthreads();
}

__device__ __forceinline__ uint32_t bits_of(float x) { return __float_as_uint(x); }
__device__ __forceinline__ uint32_t bits_of(int32_t x) { return static_cast<uint32_t>(x); }

template <int count, typename T>
__device__ __forceinline__ void finish(T (&d)[count], uint32_t* out) {
  wgmma_commit();
  wgmma_wait<0>();
  keep_behind(d);
  for (int i = 0; i < count; ++i) out[i] = bits_of(d[i]);
}

__device__ __forceinline__ void multiply(int which, const uint32_t* in, uint32_t base, uint32_t* out) {
  const uint32_t* own = in + threadIdx.x * 4;
  const uint64_t second = matrix_at(base + 32, Swizzle::bytes128, 16, 1024);  // columns 32 to 63
  if (which == 6) {
    int32_t d[64];
    wgmma_fence();
    wgmma_s8(d, own, second, false);
    finish(d, out);
  } else if (which <= 8) {
    int32_t d[32];
    for (int i = 0; i < 32; ++i) d[i] = i - 7;
    wgmma_fence();
    if (which == 7)
      wgmma_s8(d, matrix_at(base + 64, Swizzle::bytes128, 16, 1024), second, false);
    else
      wgmma_s8(d, own, second, which == 8);
    if (which == 8) wgmma_s8(d, own, matrix_at(base + 96, Swizzle::bytes128, 16, 1024), true);
    finish(d, out);
  } else if (which > 10) {
    uint32_t a[4];
    for (int i = 0; i < 4; ++i) a[i] = small_halves(own[i]);
    const uint64_t b = matrix_across(base + kMatrix, Swizzle::bytes128, 2048, 1024);
    if (which == 13) {
      float d[64] = {};
      wgmma_fence();
      wgmma_f16<true>(d, a, b, true);
      return finish(d, out);
    }
    float d[32] = {};
    wgmma_fence();
    if (which == 12)
      wgmma_f16<true>(d, a, b, true);
    else
      wgmma_f16<false>(d, a, matrix_at(base + kMatrix, Swizzle::bytes128, 16, 1024), true);
    finish(d, out);
  } else {
    const uint64_t b = matrix_at(base + kMatrix, Swizzle::bytes128, 16, 1024);
    uint32_t a[4];
    for (int i = 0; i < 4; ++i) a[i] = small_pair(own[i]);
    float d[32];
    for (float& x : d) x = 3.0f;
    wgmma_fence();
    if (which == 9)
      wgmma_bf16(d, a, b, true);
    else
      wgmma_bf16(d, b, b, true);
    finish(d, out);
  }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(128) conformance_hopper(const __grid_constant__ HopperConformance op) {
  const int which = static_cast<int>(blockIdx.x);
  unsigned char* shared = shared_memory();
  const uint32_t base = shared_offset(shared), barrier = base + kBarrier;
  if (threadIdx.x == 0) {
    mbarrier_init(barrier, 1);
    fence_barrier_init();
    const int bytes = which < 4 ? 64 * hopper_box_columns(which) : which == 4 ? 4096 : static_cast<int>(kMatrix);
    mbarrier_expect(barrier, bytes);
    if (which < 4)
      load_box(base, &op.box[which], 112, -5, barrier);
    else if (which == 4)
      copy_bulk(base, op.in + 64, bytes, barrier);
    else
      load_box(base, &op.all, 0, 0, barrier);
  }
  __syncthreads();
  mbarrier_wait(barrier, 0);
  uint32_t out[kHopperWords] = {};
  if (which < 5) {
    dump(which == 4 ? 4096 : 64 * hopper_box_columns(which), base, out);
  } else {
    if (which > 10)
      write(op.in, shared + kMatrix, which > 11, small_halves);
    else if (which > 8)
      write(op.in, shared + kMatrix, false, small_pair);
    multiply(which, op.in, base, out);
  }
  for (int i = 0; i < kHopperWords; ++i)
    op.out[(which * 128 + static_cast<int>(threadIdx.x)) * kHopperWords + i] = out[i];
}

}  // namespace kvasir::cuda
