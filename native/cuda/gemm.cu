// gemm_bf16 and gemm_s8: 64 × 64 of y to a block, 16 × 64 to a warp, three tiles of each operand in flight.
#include "native/cuda/kernels.h"
#include "native/cuda/tile.h"

using namespace kvasir::cuda;

namespace {

constexpr int kStages = 3, kStageBytes = 2 * kTileRows * kTileBytes;
static_assert(kStages * kStageBytes == kGemmShared, "kernels.h names what we use");

// Calls multiply(tile of a, tile of b, index) for each 64 bytes of the columns. `pitch`: bytes of a row of a and b.
template <typename Multiply>
__device__ __forceinline__ void over_tiles(const void* a, const void* b, int M, int N, int pitch, Multiply multiply) {
  const uint32_t base = shared_offset(shared_memory());
  const int row = blockIdx.y * kTileRows, column = blockIdx.x * kTileRows;
  const int tiles = (pitch + kTileBytes - 1) / kTileBytes;
  auto load = [&](int tile) {
    const uint32_t stage = base + tile % kStages * kStageBytes;
    if (tile < tiles) {
      load_tile(stage, a, row, M, tile * kTileBytes, pitch);
      load_tile(stage + kTileRows * kTileBytes, b, column, N, tile * kTileBytes, pitch);
    }
    copy_commit();  // an empty group at the end keeps the count of those in flight
  };
  for (int tile = 0; tile < kStages - 1; ++tile) load(tile);
  for (int tile = 0; tile < tiles; ++tile) {
    copy_wait<kStages - 2>();
    __syncthreads();  // every thread's part has landed, and nobody reads the stage that is loaded next
    load(tile + kStages - 1);
    const uint32_t stage = base + tile % kStages * kStageBytes;
    multiply(stage, stage + kTileRows * kTileBytes, tile);
  }
}

// Calls body(i, row, column) for the place in y of each of the lane's sums, [8][4].
template <typename Body>
__device__ __forceinline__ void over_sums(int M, int N, Body body) {
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
#pragma unroll
  for (int i = 0; i < 32; ++i) {
    const int row = blockIdx.y * kTileRows + warp * 16 + (lane >> 2) + (i >> 1 & 1) * 8;
    const int column = blockIdx.x * kTileRows + (i >> 2) * 8 + (lane & 3) * 2 + (i & 1);
    if (row < M && column < N) body(i, row, column);
  }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(128)
    gemm_bf16(const uint16_t* a, const uint16_t* b, float* y, int M, int N, int K) {
  const int warp = threadIdx.x >> 5;
  float sums[8][4] = {};
  over_tiles(a, b, M, N, K * 2, [&](uint32_t tile_a, uint32_t tile_b, int) {
#pragma unroll
    for (int chunk = 0; chunk < 4; chunk += 2) {
      uint32_t fragment_a[4], fragment_b[4];
      load_a(fragment_a, tile_a, warp * 16, chunk);
#pragma unroll
      for (int n = 0; n < 8; n += 2) {
        load_b(fragment_b, tile_b, n * 8, chunk);
        mma_bf16(sums[n], fragment_a, fragment_b);
        mma_bf16(sums[n + 1], fragment_a, fragment_b + 2);
      }
    }
  });
  over_sums(M, N, [&](int i, int row, int column) { y[static_cast<size_t>(row) * N + column] = sums[i >> 2][i & 3]; });
}

extern "C" __global__ void __launch_bounds__(128) gemm_s8(const int8_t* a, const float* a_scale, const int8_t* b,
                                                          const float* b_scale, float* y, int M, int N, int K) {
  const int warp = threadIdx.x >> 5, groups = K / 32;
  float sums[8][4] = {};
  over_tiles(a, b, M, N, K, [&](uint32_t tile_a, uint32_t tile_b, int tile) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int group = tile * 2 + half;
      if (group >= groups) break;
      uint32_t fragment_a[4], fragment_b[4];
      int32_t dot[8][4] = {};
      load_a(fragment_a, tile_a, warp * 16, half * 2);
#pragma unroll
      for (int n = 0; n < 8; n += 2) {
        load_b(fragment_b, tile_b, n * 8, half * 2);
        mma_s8(dot[n], fragment_a, fragment_b);
        mma_s8(dot[n + 1], fragment_a, fragment_b + 2);
      }
      over_sums(M, N, [&](int i, int row, int column) {
        const float scale =
            a_scale[static_cast<size_t>(row) * groups + group] * b_scale[static_cast<size_t>(column) * groups + group];
        sums[i >> 2][i & 3] = fmaf(static_cast<float>(dot[i >> 2][i & 3]), scale, sums[i >> 2][i & 3]);
      });
    }
  });
  over_sums(M, N, [&](int i, int row, int column) { y[static_cast<size_t>(row) * N + column] = sums[i >> 2][i & 3]; });
}
