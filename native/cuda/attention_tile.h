// 16 rows of attention to a warp, over pages of 8-bit keys and values in shared memory. A row is a query head of a token.
//
// Both products are exact integers, as in native/ops/attention.h: q · K by mma of s8, and the weights, which are s16, by two
// mma with their upper and lower bytes. The sums of the first have the layout of the operand of the second: lane 4·g + t
// holds rows g and g + 8, tokens 8·n + 2·t and the next, and mma takes tokens in any order if both operands agree.
#pragma once

#include "native/cuda/dot.h"
#include "native/cuda/softmax.h"

namespace kvasir::cuda {

// A page in shared memory, for heads of up to D: keys [D / 4][32 tokens][4], values [16 pairs][D or 64][2], scales [2][32].
// The 16-byte chunks of a row lie at chunk ^ 2 · (row mod 4).
template <int D>
struct PageRoom {
  static constexpr int kPitch = (D + 63) / 64 * 128;  // bytes of a pair of values
  static constexpr uint32_t kValues = D * kPageTokens, kScales = kValues + kPageTokens / 2 * kPitch;
  static constexpr uint32_t kBytes = kScales + 2 * kPageTokens * sizeof(float);

  static __device__ __forceinline__ uint32_t key_chunk(uint32_t page, int row, int chunk) {
    return page + row * 128 + (chunk ^ 2 * (row & 3)) * 16;
  }
  static __device__ __forceinline__ uint32_t value_chunk(uint32_t page, int pair, int chunk) {
    return page + kValues + pair * kPitch + (chunk ^ 2 * (pair & 3)) * 16;
  }

  // Begins the copy of a head's page by a block of `threads`. What of the keys mma reads past the head becomes zeros.
  template <int threads>
  static __device__ __forceinline__ void load(const KvCache& kv, uint8_t* from, uint32_t page) {
    constexpr int kChunks = kPitch / 16;  // of a pair's row; the last ones may stay empty
    const int dim = kv.head_dim, keys = (dim + 31) / 32 * 64, used = dim / 8;
    for (int i = static_cast<int>(threadIdx.x); i < keys; i += threads)
      copy_async16(key_chunk(page, i / 8, i % 8), from + (i < dim * 2 ? i * 16 : 0), i < dim * 2 ? 16 : 0);
    for (int i = static_cast<int>(threadIdx.x); i < kPageTokens / 2 * kChunks; i += threads) {
      const int pair = i / kChunks, chunk = i % kChunks;
      if (chunk < used) copy_async16(value_chunk(page, pair, chunk), kv.values(from) + (pair * used + chunk) * 16, 16);
    }
    const auto* scales = reinterpret_cast<const uint8_t*>(kv.key_scales(from));
    if (threadIdx.x < 16) copy_async16(page + kScales + threadIdx.x * 16, scales + threadIdx.x * 16, 16);
  }
};

// The part of a page that a row sees: tokens begin ≤ token < end.
struct Sight {
  int begin = 0, end = 0;
  __device__ __forceinline__ bool some() const { return begin < end; }
  __device__ __forceinline__ bool sees(int token) const { return token >= begin && token < end; }
};

// Over the four lanes that share a row.
__device__ __forceinline__ float row_max(float x) { return max_over<4>(x); }

template <int D>
struct AttentionTile {
  uint32_t q[D / 32][4];  // first operand of mma: the queries
  float q_scale[2];       // of rows g and g + 8
  float acc[D / 8][4];  // tiles 2·j and 2·j + 1: dimensions 16·j + 4·t + 2·i and the next, i = 0, 1 of rows g and g + 8
  Running running[2];
  float sums[2][4];  // of each row, the four of sixteen parts that are this lane's

  __device__ __forceinline__ void begin_split() {
#pragma unroll
    for (int i = 0; i < D / 2; ++i) acc[i / 4][i % 4] = 0.0f;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      running[r] = {};
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[r][i] = 0.0f;
    }
  }

  // The sum of a row's weights, by the tree over sixteen parts.
  __device__ __forceinline__ void end_split() {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float low = sum_over<4>(sums[r][0] + sums[r][2]), high = sum_over<4>(sums[r][1] + sums[r][3]);
      running[r].sum = low + high;
    }
  }

  __device__ __forceinline__ void attend(const KvCache& kv, uint32_t page, const Sight* sight) {
    const int t = static_cast<int>(threadIdx.x % 4);
    float x[4][4];
    score(kv.head_dim, page, x);

    uint32_t upper[4], lower[4];  // first operand of mma: the weights' bytes
    float past[2], step[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float top = -INFINITY, scale_top = 0.0f, scale[8];
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const int token = i / 2 * 8 + 2 * t + i % 2;
        const uint32_t at = page + PageRoom<D>::kScales + token * 4;
        const float key_scale = __uint_as_float(load_shared(at));
        const float value_scale = __uint_as_float(load_shared(at + kPageTokens * 4));
        const bool sees = sight[r].sees(token);  // what other slots hold may be anything
        float& score = x[i / 2][2 * r + i % 2];
        score = sees ? score * (q_scale[r] * key_scale) : -INFINITY;
        scale[i] = sees ? value_scale : 0.0f;
        top = fmaxf(top, score);
        scale_top = fmaxf(scale_top, scale[i]);
      }
      top = row_max(top);
      scale_top = row_max(scale_top);
      const float most = top > running[r].most ? top : running[r].most;
      past[r] = exp_of(running[r].most - most);
      const Quantum quantum = weight_quantum(exp_of(top - most), scale_top / 32767.0f);
      float weight[8];
      int word[8];
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        weight[i] = sight[r].sees(i / 2 * 8 + 2 * t + i % 2) ? exp_of(x[i / 2][2 * r + i % 2] - most) : 0.0f;
        word[i] = __float2int_rn(weight[i] * scale[i] * quantum.inverse);
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int* w = word + half * 4;
        lower[half * 2 + r] = (w[0] & 255) | (w[1] & 255) << 8 | (w[2] & 255) << 16 | (w[3] & 255) << 24;
        upper[half * 2 + r] = w[0] >> 8 | w[1] >> 8 << 8 | w[2] >> 8 << 16 | w[3] >> 8 << 24;
      }
      step[r] = quantum.scale;
      if (!sight[r].some()) continue;
      running[r].most = most;
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[r][i] = fmaf(sums[r][i], past[r], weight[i] + weight[4 + i]);
    }
    weigh(kv.head_dim, page, upper, lower, past, step, sight);
  }

 private:
  // x = q · kᵀ for 16 rows and the 32 tokens.
  __device__ __forceinline__ void score(int dim, uint32_t page, float (*x)[4]) const {
    const int lane = static_cast<int>(threadIdx.x % 32), g = lane / 4, t = lane % 4;
    int32_t dots[4][4];
#pragma unroll
    for (int i = 0; i < 16; ++i) dots[i / 4][i % 4] = kFloatBits;
#pragma unroll
    for (int k = 0; k < D / 32; ++k) {
      if (k * 32 >= dim) break;
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        uint32_t b[2];
#pragma unroll
        for (int half = 0; half < 2; ++half)
          b[half] = load_shared(PageRoom<D>::key_chunk(page, k * 8 + half * 4 + t, n * 2 + g / 4) + g % 4 * 4);
        mma_s8(dots[n], q[k], b);
      }
    }
#pragma unroll
    for (int i = 0; i < 16; ++i) x[i / 4][i % 4] = to_float(dots[i / 4][i % 4]);
  }

  // acc ← past · acc + step · weights · values, for rows that see something.
  __device__ __forceinline__ void weigh(int dim, uint32_t page, const uint32_t* upper, const uint32_t* lower,
                                        const float* past, const float* step, const Sight* sight) {
    const int lane = static_cast<int>(threadIdx.x % 32), g = lane / 4, t = lane % 4;
#pragma unroll
    for (int j = 0; j < D / 16; ++j) {
      if (j * 16 >= dim) break;
      uint32_t pair[4];  // of tokens 2t…, 8 + 2t…, 16 + 2t…, 24 + 2t…, each for two dimensions
#pragma unroll
      for (int i = 0; i < 4; ++i)
        pair[i] = load_shared(PageRoom<D>::value_chunk(page, i * 4 + t, j * 2 + g / 4) + g % 4 * 4);
      const uint32_t b[2][2] = {{permute<0x5410>(pair[0], pair[1]), permute<0x5410>(pair[2], pair[3])},
                                {permute<0x7632>(pair[0], pair[1]), permute<0x7632>(pair[2], pair[3])}};
#pragma unroll
      for (int odd = 0; odd < 2; ++odd) {
        int32_t dots[4] = {};
        mma_s8(dots, upper, b[odd]);
#pragma unroll
        for (int i = 0; i < 4; ++i) dots[i] *= 256;
        mma_u8(dots, lower, b[odd]);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          float& value = acc[2 * j + odd][i];
          if (sight[i / 2].some()) value = fmaf(static_cast<float>(dots[i]), step[i / 2], value * past[i / 2]);
        }
      }
    }
  }
};

}  // namespace kvasir::cuda
