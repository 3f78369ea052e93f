// Causal attention of a prompt: FlashAttention-2 (arXiv 2307.08691) with mma.sync. 64 queries of one head to a block, 16 to a
// warp; the online softmax keeps a maximum and a sum a row, and divides once at the end. The next keys are loaded under the
// product with the values.
//
// Rows of D bf16 in shared memory; their 16-byte chunks are stored at chunk ^ (row mod 8), so that neither cp.async nor
// ldmatrix conflicts.
#include "native/cuda/kernels.h"

using namespace kvasir::cuda;

namespace {

constexpr int kRows = 64;
constexpr float kLog2e = 1.44269504f;

template <int D>
__device__ __forceinline__ uint32_t row_chunk(uint32_t tile, int row, int chunk) {
  return tile + row * D * 2 + (chunk ^ (row & 7)) * 16;
}

// Begins the copy of rows first.. of one head of `from` [rows, heads, D]. Beyond the end: zeros.
template <int D>
__device__ __forceinline__ void load_rows(uint32_t tile, const uint16_t* from, int first, int rows, int head,
                                          int heads) {
  for (int i = threadIdx.x; i < kRows * D / 8; i += 128) {
    const int row = i / (D / 8), chunk = i % (D / 8);
    const bool inside = first + row < rows;
    const size_t at = inside ? (static_cast<size_t>(first + row) * heads + head) * D + chunk * 8 : 0;
    copy_async16(row_chunk<D>(tile, row, chunk), from + at, inside ? 16 : 0);
  }
}

// The largest or the sum of a value over the four lanes that share a row.
__device__ __forceinline__ float row_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 2));
}
__device__ __forceinline__ float row_sum(float x) {
  x += __shfl_xor_sync(0xFFFFFFFFu, x, 1);
  return x + __shfl_xor_sync(0xFFFFFFFFu, x, 2);
}

// scores = q · kᵀ for this warp's 16 queries and 64 keys.
template <int D>
__device__ __forceinline__ void multiply_keys(float (*scores)[4], uint32_t tile_q, uint32_t tile_k) {
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
#pragma unroll
  for (int chunk = 0; chunk < D / 8; chunk += 2) {
    uint32_t a[4], b[4];
    ldmatrix_x4(a, row_chunk<D>(tile_q, warp * 16 + (lane & 15), chunk + (lane >> 4)));
#pragma unroll
    for (int n = 0; n < 8; n += 2) {
      ldmatrix_x4(b, row_chunk<D>(tile_k, n * 8 + (lane & 7) + (lane >> 4) * 8, chunk + (lane >> 3 & 1)));
      mma_bf16(scores[n], a, b);
      mma_bf16(scores[n + 1], a, b + 2);
    }
  }
}

// sums += p · v. The accumulator of one mma has the layout of the operand a of the next: p stays in registers.
template <int D>
__device__ __forceinline__ void multiply_values(float (*sums)[4], const float (*p)[4], uint32_t tile_v) {
  const int lane = threadIdx.x & 31;
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const uint32_t a[4] = {pack_bf16(p[2 * k][0], p[2 * k][1]), pack_bf16(p[2 * k][2], p[2 * k][3]),
                           pack_bf16(p[2 * k + 1][0], p[2 * k + 1][1]), pack_bf16(p[2 * k + 1][2], p[2 * k + 1][3])};
#pragma unroll
    for (int n = 0; n < D / 8; n += 2) {
      uint32_t b[4];
      ldmatrix_x4_transposed(b, row_chunk<D>(tile_v, k * 16 + (lane & 15), n + (lane >> 4)));
      mma_bf16(sums[n], a, b);
      mma_bf16(sums[n + 1], a, b + 2);
    }
  }
}

template <int D>
__device__ __forceinline__ void prefill(const uint16_t* q, const uint16_t* k, const uint16_t* v, float* y, int queries,
                                        int keys, int heads, int kv_heads, float scale) {
  const int lane = threadIdx.x & 31, head = blockIdx.y, kv_head = head / (heads / kv_heads);
  const int first = blockIdx.x * kRows, row = first + (threadIdx.x >> 5) * 16 + (lane >> 2), past = keys - queries;
  const int end = min(keys, past + first + kRows);  // of the keys that some row of the block sees
  const uint32_t tile_q = shared_offset(shared_memory()), tile_k = tile_q + kRows * D * 2,
                 tile_v = tile_k + kRows * D * 2;
  const float scale_log2 = scale * kLog2e;
  float sums[D / 8][4] = {}, largest[2] = {-INFINITY, -INFINITY}, total[2] = {};

  load_rows<D>(tile_q, q, first, queries, head, heads);
  load_rows<D>(tile_k, k, 0, keys, kv_head, kv_heads);
  copy_commit();
  for (int key = 0; key < end; key += kRows) {
    load_rows<D>(tile_v, v, key, keys, kv_head, kv_heads);
    copy_commit();
    copy_wait<1>();
    __syncthreads();  // keys have landed
    float p[8][4] = {};
    multiply_keys<D>(p, tile_q, tile_k);
    copy_wait<0>();
    __syncthreads();  // values have landed, and the keys are read
    if (key + kRows < end) load_rows<D>(tile_k, k, key + kRows, keys, kv_head, kv_heads);
    copy_commit();

    if (key + kRows > past + first || key + kRows > keys) {
#pragma unroll
      for (int i = 0; i < 32; ++i) {
        const int column = key + (i >> 2) * 8 + (lane & 3) * 2 + (i & 1);
        if (column > past + row + (i >> 1 & 1) * 8 || column >= keys) p[i >> 2][i & 3] = -INFINITY;
      }
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float most = largest[r];
      for (int n = 0; n < 8; ++n) most = fmaxf(most, fmaxf(p[n][2 * r], p[n][2 * r + 1]));
      most = row_max(most);
      const float shrink = exp2f((largest[r] - most) * scale_log2);
      float sum = 0.0f;
      for (int i = 0; i < 16; ++i) {
        float& value = p[i >> 1][2 * r + (i & 1)];
        value = exp2f((value - most) * scale_log2);
        sum += value;
      }
      for (int n = 0; n < D / 8; ++n) {
        sums[n][2 * r] *= shrink;
        sums[n][2 * r + 1] *= shrink;
      }
      total[r] = total[r] * shrink + sum;
      largest[r] = most;
    }
    multiply_values<D>(sums, p, tile_v);
    __syncthreads();  // the values are read
  }
  for (int r = 0; r < 2; ++r) {
    const float by = 1.0f / row_sum(total[r]);
    if (row + r * 8 >= queries) continue;
    float* out = y + (static_cast<size_t>(row + r * 8) * heads + head) * D + (lane & 3) * 2;
    for (int n = 0; n < D / 8; ++n)
      for (int i = 0; i < 2; ++i) out[n * 8 + i] = sums[n][2 * r + i] * by;
  }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(128)
    attention_prefill_64(const uint16_t* q, const uint16_t* k, const uint16_t* v, float* y, int queries, int keys,
                         int heads, int kv_heads, float scale) {
  prefill<64>(q, k, v, y, queries, keys, heads, kv_heads, scale);
}

extern "C" __global__ void __launch_bounds__(128)
    attention_prefill_128(const uint16_t* q, const uint16_t* k, const uint16_t* v, float* y, int queries, int keys,
                          int heads, int kv_heads, float scale) {
  prefill<128>(q, k, v, y, queries, keys, heads, kv_heads, scale);
}
