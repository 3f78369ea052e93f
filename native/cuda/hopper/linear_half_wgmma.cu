// linear with f16 or bf16 weights by wgmma, both operands in shared memory: outputs are the rows of a sum and tokens its columns,
// for tokens are few where weights are what is waited for. linear_*_wgmma_64: 64 outputs to a block by 64 tokens, one warpgroup;
// linear_*_wgmma_256: 256 by 128, two. A third one brings 64 columns at a time, by TMA, through a ring of stages.
//
// Every output is one chain of sums over k in ascending order, sixteen to an instruction, in both kernels, so that a row has the
// same bits whatever tile it is in. The tokens come rounded to the weights' format, divided by a power of two (round_rows).
//
// A stage: weights [outputs] 128 bytes, tokens [tokens] 128 bytes, swizzled. Barriers: full (one arrival, all bytes), empty
// (an arrival of each multiplying warp).
#include "native/cuda/hopper/kernels.h"
#include "native/cuda/linear.h"

namespace kvasir::cuda {
namespace {

template <Dtype F, int count>
__device__ __forceinline__ void multiply_add(float (&d)[count], uint64_t a, uint64_t b, bool adds) {
  if constexpr (F == Dtype::f16)
    wgmma_f16(d, a, b, adds);
  else
    wgmma_bf16(d, a, b, adds);
}

template <Dtype F, bool large>
struct Tile {
  static constexpr HalfTile kTile = large ? kLargeHalfTile : kSmallHalfTile;
  static constexpr int kConsumers = kTile.groups * 128, kEach = kTile.outputs / 64 / kTile.groups, N = kTile.tokens;
  static constexpr uint32_t kTokens = kTile.outputs * 128, kBytes = half_stage_bytes(kTile);
  static constexpr uint32_t kFull = kTile.stages * kBytes, kEmpty = kFull + kTile.stages * 8;

  const TensorHalfLinear& arg;
  const Linear& op;
  const int first_token, steps;  // steps: of 64 columns
  const uint32_t base;
  int segment = 0, first = 0;  // of the block's outputs

  __device__ __forceinline__ explicit Tile(const TensorHalfLinear& arg)
      : arg(arg),
        op(arg.op),
        first_token(static_cast<int>(blockIdx.y) * N),
        steps((arg.op.x.dim + 63) / 64),
        base(shared_offset(shared_memory())) {
    int tile = static_cast<int>(blockIdx.x);
    for (int tiles; tile >= (tiles = (op.segment[segment].w.rows + kTile.outputs - 1) / kTile.outputs); tile -= tiles)
      ++segment;
    first = tile * kTile.outputs;
  }

  __device__ __forceinline__ uint32_t stage(int step) const { return base + step % kTile.stages * kBytes; }
  __device__ __forceinline__ uint32_t full(int step) const { return base + kFull + step % kTile.stages * 8; }
  __device__ __forceinline__ uint32_t empty(int step) const { return base + kEmpty + step % kTile.stages * 8; }

  // One thread.
  __device__ __forceinline__ void fetch() const {
    for (int step = 0; step < steps; ++step) {
      mbarrier_wait(empty(step), (step / kTile.stages & 1) ^ 1);
      mbarrier_expect(full(step), kBytes);
      load_box(stage(step), &arg.weights[segment], step * 128, first, full(step));
      load_box(stage(step) + kTokens, &arg.tokens, step * 128, first_token, full(step));
    }
  }

  __device__ __forceinline__ void release(int step) const {
    if (threadIdx.x % 32 == 0) mbarrier_arrive(empty(step));
  }

  __device__ __forceinline__ void multiply() const {
    const int group = static_cast<int>(threadIdx.x / 128);
    float d[kEach][N / 2];
    for (int step = 0; step < steps; ++step) {
      mbarrier_wait(full(step), step / kTile.stages & 1);
      wgmma_fence();
#pragma unroll
      for (int k = 0; k < 4; ++k)
#pragma unroll
        for (int m = 0; m < kEach; ++m)
          multiply_add<F>(d[m],
                          matrix_at(stage(step) + (group * kEach + m) * 64 * 128 + k * 32, Swizzle::bytes128, 16, 1024),
                          matrix_at(stage(step) + kTokens + k * 32, Swizzle::bytes128, 16, 1024), step + k > 0);
      wgmma_commit();
      wgmma_wait<1>();
      if (step > 0) release(step - 1);
    }
    wgmma_wait<0>();
#pragma unroll
    for (int m = 0; m < kEach; ++m) keep_behind(d[m]);
    write(d, first + group * kEach * 64 + static_cast<int>(threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4));
  }

  // row: of this thread's first value.
  __device__ __forceinline__ void write(const float (&d)[kEach][N / 2], int row) const {
    const Linear::Segment& to = op.segment[segment];
#pragma unroll
    for (int i = 0; i < N / 8; ++i)
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int token = first_token + i * 8 + static_cast<int>(threadIdx.x % 4) * 2 + c;
        if (token >= op.x.rows) continue;
        const float scale = arg.scale[token];
#pragma unroll
        for (int m = 0; m < kEach; ++m)
#pragma unroll
          for (int r = 0; r < 2; ++r)
            store_output(op, to, token, row + m * 64 + r * 8, d[m][i * 4 + r * 2 + c] * scale);
      }
  }

  __device__ __forceinline__ void run() const {
    if (threadIdx.x == 0) {
      for (int s = 0; s < kTile.stages; ++s) {
        mbarrier_init(base + kFull + s * 8, 1);
        mbarrier_init(base + kEmpty + s * 8, kConsumers / 32);
      }
      fence_barrier_init();
    }
    __syncthreads();
    if (threadIdx.x >= kConsumers) {
      if constexpr (large) give_registers<24>();
      if (threadIdx.x == kConsumers) fetch();
    } else {
      if constexpr (large) take_registers<240>();
      multiply();
    }
  }
};

}  // namespace

#define KVASIR_LINEAR(format)                                                     \
  extern "C" __global__ void __launch_bounds__(half_threads(kSmallHalfTile), 2)   \
      linear_##format##_wgmma_64(const __grid_constant__ TensorHalfLinear arg) {  \
    Tile<Dtype::format, false>(arg).run();                                        \
  }                                                                               \
  extern "C" __global__ void __launch_bounds__(half_threads(kLargeHalfTile), 1)   \
      linear_##format##_wgmma_256(const __grid_constant__ TensorHalfLinear arg) { \
    Tile<Dtype::format, true>(arg).run();                                         \
  }
KVASIR_LINEAR(f16)
KVASIR_LINEAR(bf16)
#undef KVASIR_LINEAR

}  // namespace kvasir::cuda
