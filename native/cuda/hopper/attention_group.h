// 64 rows of attention to a warpgroup, over blocks of 64 tokens of f16 keys and values in shared memory, by wgmma. A row is a
// query head of a token. FlashAttention-3 (arXiv 2407.08608) in the order of native/ops/attention.h.
//
// The queries and the weights are first operands, from registers: the sums of q · K lie as the operand of P · V wants them.
// Keys lie as [tokens, D], values too, and there N is along the row.
#pragma once

#include "native/cuda/contract.h"
#include "native/cuda/ptx_hopper.h"
#include "native/cuda/softmax.h"
#include "native/cuda/tiles.h"

namespace kvasir::cuda {

constexpr int kBlock = kBlockTokens;

// A block of tokens in shared memory: keys, then values, each [D / 64] parts of [64 tokens] 128 bytes, swizzled.
template <int D>
struct BlockRoom {
  static constexpr uint32_t kPart = kBlock * 128, kValues = D / 64 * kPart, kBytes = 2 * kValues;
  static_assert(kBytes == block_bytes(D));
};

// The tokens of a block that a row sees: begin ≤ token < end.
struct BlockSight {
  int begin = 0, end = 0;
  __device__ __forceinline__ bool all() const { return begin <= 0 && end >= kBlock; }
  __device__ __forceinline__ bool sees(int token) const { return token >= begin && token < end; }
};

// This thread has rows g and g + 8 of its warp, lane 4·g + t: of sums dimensions (or tokens) 8·i + 2·t and the next as values
// 4·i + 2·r and the next.
template <int D>
struct AttentionGroup {
  uint32_t q[D / 16][4];
  float acc[D / 2], total_acc[D / 2];
  float most[2], sum[2];  // of the split: the largest q · k, and this lane's part of the sum of weights
  Running total[2];

  // q: this thread's two rows, null for none.
  __device__ __forceinline__ void load_queries(const float* const (&row)[2]) {
    const int t = static_cast<int>(threadIdx.x % 4);
#pragma unroll
    for (int k = 0; k < D / 16; ++k)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float pair[2] = {};
        if (row[i % 2]) load8(pair, row[i % 2] + k * 16 + i / 2 * 8 + 2 * t);
        q[k][i] = pack_f16(pair[0], pair[1]);
      }
  }

  __device__ __forceinline__ void begin() {
#pragma unroll
    for (int i = 0; i < D / 2; ++i) total_acc[i] = 0.0f;
    total[0] = total[1] = {};
    begin_split();
  }
  __device__ __forceinline__ void begin_split() {
#pragma unroll
    for (int i = 0; i < D / 2; ++i) acc[i] = 0.0f;
#pragma unroll
    for (int r = 0; r < 2; ++r) most[r] = -INFINITY, sum[r] = 0.0f;
  }
  // What the split came to.
  __device__ __forceinline__ void end_split(float scale, Running (&part)[2]) const {
#pragma unroll
    for (int r = 0; r < 2; ++r) part[r] = {most[r] * scale, sum_over<4>(sum[r])};
  }
  __device__ __forceinline__ void merge_split(float scale) {
    Running part[2];
    end_split(scale, part);
    Merge by[2];
#pragma unroll
    for (int r = 0; r < 2; ++r)
      if (most[r] > -INFINITY) by[r] = merge(total[r], part[r]);
#pragma unroll
    for (int i = 0; i < D / 2; ++i)
      if (most[i / 2 % 2] > -INFINITY)
        total_acc[i] = fmaf(acc[i], by[i / 2 % 2].now, total_acc[i] * by[i / 2 % 2].past);
  }

  // By all warps of the group: acc and sum over one block more.
  __device__ __forceinline__ void attend(uint32_t block, const BlockSight (&sight)[2], float scale) {
    float x[kBlock / 2];
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < D / 16; ++k)
      wgmma_f16<false>(x, q[k],
                       matrix_at(block + k / 4 * BlockRoom<D>::kPart + k % 4 * 32, Swizzle::bytes128, 16, 1024), k > 0);
    wgmma_commit();
    wgmma_wait<0>();
    keep_behind(x);
    uint32_t weights[kBlock / 16][4];
    weigh(x, sight, scale, weights);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < kBlock / 16; ++k)
      wgmma_f16<true>(
          acc, weights[k],
          matrix_across(block + BlockRoom<D>::kValues + k * 16 * 128, Swizzle::bytes128, BlockRoom<D>::kPart, 1024),
          true);
    wgmma_commit();
    wgmma_wait<0>();
    keep_behind(acc);
  }

 private:
  // Scores → weights as an operand; acc and sum are brought to the new maximum. A row that sees nothing is left as it is.
  __device__ __forceinline__ void weigh(float (&x)[kBlock / 2], const BlockSight (&sight)[2], float scale,
                                        uint32_t (&weights)[kBlock / 16][4]) {
    const int t = static_cast<int>(threadIdx.x % 4);
    const float scale2 = scale * 1.44269504f;
    if (!__all_sync(kAllLanes, sight[0].all() && sight[1].all()))
#pragma unroll
      for (int i = 0; i < kBlock / 2; ++i)
        if (!sight[i / 2 % 2].sees(i / 4 * 8 + 2 * t + i % 2)) x[i] = -INFINITY;
    float past[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float top = -INFINITY;
#pragma unroll
      for (int i = 0; i < kBlock / 4; ++i) top = fmaxf(top, x[i / 2 * 4 + 2 * r + i % 2]);
      top = fmaxf(most[r], max_over<4>(top));
      const float shift = top > -INFINITY ? top * scale2 : 0.0f;
      past[r] = top > -INFINITY ? exp2_of((most[r] - top) * scale2) : 1.0f;
      most[r] = top;
      float weight = 0.0f;
#pragma unroll
      for (int i = 0; i < kBlock / 4; ++i) {
        float& value = x[i / 2 * 4 + 2 * r + i % 2];
        value = exp2_of(fmaf(value, scale2, -shift));
        weight += value;
      }
      sum[r] = fmaf(sum[r], past[r], weight);
    }
    if (__any_sync(kAllLanes, past[0] != 1.0f || past[1] != 1.0f))
#pragma unroll
      for (int i = 0; i < D / 2; ++i) acc[i] *= past[i / 2 % 2];
#pragma unroll
    for (int k = 0; k < kBlock / 16; ++k)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        weights[k][i] = pack_f16(x[k * 8 + i / 2 * 4 + i % 2 * 2], x[k * 8 + i / 2 * 4 + i % 2 * 2 + 1]);
  }
};

}  // namespace kvasir::cuda
