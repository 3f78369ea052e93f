// rope_table and rope_kv. A head of a token to a warp, held in shared memory while it is normalised and rotated.
#include "native/cuda/kernels.h"
#include "native/cuda/numbers.h"

namespace kvasir::cuda {
namespace {

__device__ __forceinline__ int position_of(const StepSequences& sequences, int token) {
  const int s = sequences.of_token[token];
  return sequences.position[s] + token - sequences.start[s];
}
__device__ __forceinline__ int my_lane() { return static_cast<int>(threadIdx.x % 32); }

// x ← RMSNorm(x) · w, with sixteen partial sums.
__device__ __forceinline__ void normalise(float* x, const float* w, int dim, float eps) {
  float sum = 0.0f;
  for (int i = my_lane() % 16; i < dim; i += 16) sum = fmaf(x[i], x[i], sum);
  const float by = 1.0f / sqrtf(sum_over<16>(sum) / static_cast<float>(dim) + eps);
  __syncwarp();
  for (int i = my_lane(); i < dim; i += 32) x[i] = x[i] * by * w[i];
  __syncwarp();
}

// Pairs (i, i + half), or (2i, 2i + 1). table: cosines, then sines.
__device__ __forceinline__ void rotate(float* x, const float* table, int dim, bool interleaved) {
  const int half = dim / 2;
  for (int i = my_lane(); i < half; i += 32) {
    float &first = x[interleaved ? 2 * i : i], &second = x[interleaved ? 2 * i + 1 : i + half];
    const float a = first, b = second, cos = table[i], sin = table[half + i];
    first = a * cos - b * sin;
    second = b * cos + a * sin;
  }
  __syncwarp();
}

__device__ __forceinline__ void write_floats(const KvCache& kv, const float* x, int slot, uint8_t* rows) {
  uint8_t* row = rows + slot * kv.row_bytes();
  for (int i = my_lane(); i < kv.head_dim; i += 32) {
    if (kv.dtype == Dtype::f32)
      reinterpret_cast<float*>(row)[i] = x[i];
    else
      reinterpret_cast<uint16_t*>(row)[i] = to_f16(x[i]);
  }
}

// Into the layouts of native/ops/kv_cache.h; `scales` belong to the page's keys or values.
__device__ __forceinline__ void write_bytes(const KvCache& kv, const float* x, int slot, bool is_value, uint8_t* rows,
                                            float* scales) {
  const int dim = kv.head_dim;
  int top = 0;
  for (int i = my_lane(); i < dim; i += 32) top = max(top, magnitude(x[i]));
  const Quantum quantum = quantum_of(__int_as_float(max_over<32>(top)));
  if (my_lane() == 0) scales[slot] = quantum.scale;
  for (int i = my_lane(); i < dim; i += 32) {
    const auto q = static_cast<int8_t>(quantized(x[i], quantum.inverse));
    const int at = is_value ? slot / 2 * 2 * dim + 2 * i + slot % 2 : (i / 4 * kPageTokens + slot) * 4 + i % 4;
    reinterpret_cast<int8_t*>(rows)[at] = q;
  }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(32) rope_table(const __grid_constant__ RopeTable op) {
  const int t = static_cast<int>(blockIdx.y), half = op.y.dim / 2, i = static_cast<int>(blockIdx.x * 32 + threadIdx.x);
  if (i >= half) return;
  // The angle is rounded to f32 as in every published implementation; its cosine and sine are not.
  const double angle = static_cast<float>(position_of(op.sequences, t)) * op.inv_freq[i];
  op.y.f32(t)[i] = static_cast<float>(cos(angle) * op.scale);
  op.y.f32(t)[half + i] = static_cast<float>(sin(angle) * op.scale);
}

extern "C" __global__ void __launch_bounds__(kHeadWarps * 32) rope_kv(const __grid_constant__ RopeKv op) {
  const KvCache& kv = op.kv;
  const int t = static_cast<int>(blockIdx.x), warp = static_cast<int>(threadIdx.x / 32), dim = kv.head_dim;
  const int head = static_cast<int>(blockIdx.y * kHeadWarps) + warp;
  if (head >= op.heads + 2 * kv.kv_heads) return;
  float* x = reinterpret_cast<float*>(shared_memory()) + warp * kMaxHeadDim;
  float* in_place = op.qkv.f32(t) + head * dim;
  const bool is_query = head < op.heads, is_value = head >= op.heads + kv.kv_heads;
  for (int i = my_lane(); i < dim; i += 32) x[i] = in_place[i];
  __syncwarp();
  if (!is_value) {
    const float* w = is_query ? op.q_norm : op.k_norm;
    if (w) normalise(x, w, dim, op.eps);
    rotate(x, op.table.f32(t), op.rotary_dim, op.interleaved);
    for (int i = my_lane(); i < dim; i += 32) in_place[i] = x[i];
  }
  if (is_query) return;
  const int position = position_of(op.sequences, t), slot = position % kPageTokens;
  const int block = op.sequences.block_start[op.sequences.of_token[t]] + position / kPageTokens;
  uint8_t* page = kv.head_page(op.layer, op.sequences.blocks[block], (head - op.heads) % kv.kv_heads);
  uint8_t* rows = is_value ? kv.values(page) : kv.keys(page);
  if (kv.dtype == Dtype::kv8)
    write_bytes(kv, x, slot, is_value, rows, is_value ? kv.value_scales(page) : kv.key_scales(page));
  else
    write_floats(kv, x, slot, rows);
}

}  // namespace kvasir::cuda
