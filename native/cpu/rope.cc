// rope_table and rope_kv. Reference: test/reference/rope.ts
//
// Every output is one product minus or plus another, so a vector, a tail and a single token round alike:
//   y[i] = x[i]·cos − x[partner]·sin for the first of a pair, x[i]·cos + x[partner]·sin for the second.
#include <cmath>

#include "native/cpu/kernels.h"
#include "native/cpu/vec.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

int position_of(const StepSequences& sequences, int64_t token) {
  const int s = sequences.of_token[token];
  return sequences.position[s] + static_cast<int>(token) - sequences.start[s];
}

// x ← RMSNorm(x)·w over one head.
void normalise(float* x, const float* w, int dim, float eps) {
  f32x16 sum = set1(0.0f);
  for (int i = 0; i < dim; i += kLanes) {
    const f32x16 v = load(x + i, dim - i);
    sum = fma(v, v, sum);
  }
  const f32x16 by = set1(1.0f / __builtin_sqrtf(reduce_add(sum) / static_cast<float>(dim) + eps));
  for (int i = 0; i < dim; i += kLanes) store(x + i, mul(mul(load(x + i, dim - i), by), load(w + i, dim - i)), dim - i);
}

// The table of a token, laid out as the head is: cos[i] and ±sin[i] for every rotated value.
struct Angles {
  alignas(64) float cos[kMaxHeadDim];
  alignas(64) float sin[kMaxHeadDim];
};

void lay_out(const float* table, int dim, bool interleaved, Angles& angles) {
  const int half = dim / 2;
  for (int i = 0; i < half; ++i) {
    const int first = interleaved ? 2 * i : i, second = interleaved ? 2 * i + 1 : i + half;
    angles.cos[first] = angles.cos[second] = table[i];
    angles.sin[second] = table[half + i];
    angles.sin[first] = -table[half + i];
  }
}

void rotate_interleaved(float* x, int dim, const Angles& angles) {
  for (int i = 0; i < dim; i += kLanes) {
    const f32x16 v = load(x + i, dim - i);
    const f32x16 turned = mul(swap_pairs(v), load(angles.sin + i));
    store(x + i, add(mul(v, load(angles.cos + i)), turned), dim - i);
  }
}

void rotate_halves(float* x, int dim, const Angles& angles) {
  const int half = dim / 2;
  for (int i = 0; i < half; i += kLanes) {
    const int64_t n = half - i;
    float *a = x + i, *b = a + half;
    const f32x16 first = load(a, n), second = load(b, n), cos = load(angles.cos + i, n);
    const f32x16 sin = load(angles.sin + half + i, n);
    store(a, sub(mul(first, cos), mul(second, sin)), n);
    store(b, add(mul(second, cos), mul(first, sin)), n);
  }
}

// One key or value into its slot of a head page.
void write_floats(const KvCache& kv, const float* x, int slot, uint8_t* rows) {
  const int dim = kv.head_dim;
  uint8_t* row = rows + slot * kv.row_bytes();
  if (kv.dtype == Dtype::f32) {
    for (int i = 0; i < dim; ++i) reinterpret_cast<float*>(row)[i] = x[i];
  } else {
    alignas(64) uint16_t half[kMaxHeadDim];
    for (int i = 0; i < dim; i += kLanes) store_f16(half + i, load(x + i, dim - i));
    __builtin_memcpy(row, half, dim * sizeof(uint16_t));
  }
}

void write_key(const KvCache& kv, const float* x, int slot, uint8_t* head_page) {
  if (kv.dtype != Dtype::kv8) return write_floats(kv, x, slot, kv.keys(head_page));
  alignas(64) int8_t q[kMaxHeadDim];
  kv.key_scales(head_page)[slot] = quantize_row(x, kv.head_dim, q).scale;
  uint8_t* at = kv.keys(head_page) + slot * 4;
  for (int d = 0; d < kv.head_dim; d += 4) __builtin_memcpy(at + d * kPageTokens, q + d, 4);
}

void write_value(const KvCache& kv, const float* x, int slot, uint8_t* head_page) {
  if (kv.dtype != Dtype::kv8) return write_floats(kv, x, slot, kv.values(head_page));
  alignas(64) int8_t q[kMaxHeadDim];
  kv.value_scales(head_page)[slot] = quantize_row(x, kv.head_dim, q).scale;
  uint8_t* at = kv.values(head_page) + slot / 2 * 2 * kv.head_dim + slot % 2;
  for (int d = 0; d < kv.head_dim; ++d) at[2 * d] = static_cast<uint8_t>(q[d]);
}

}  // namespace

void rope_table(const RopeTable& op, const Worker& worker) {
  const int half = op.y.dim / 2;
  const Range rows = worker.share(op.y.rows);
  for (int64_t t = rows.begin; t < rows.end; ++t) {
    const float position = static_cast<float>(position_of(op.sequences, t));
    float* y = op.y.f32(t);
    for (int i = 0; i < half; ++i) {
      // The angle is rounded to f32 as in every published implementation; its cosine and sine are not.
      const double angle = position * op.inv_freq[i];
      y[i] = static_cast<float>(__builtin_cos(angle) * op.scale);
      y[half + i] = static_cast<float>(__builtin_sin(angle) * op.scale);
    }
  }
}

void rope_kv(const RopeKv& op, const Worker& worker) {
  const KvCache& kv = op.kv;
  const int dim = kv.head_dim, heads = op.heads + 2 * kv.kv_heads;
  const Range all = worker.share(int64_t{op.qkv.rows} * heads);
  Angles angles{};
  int64_t laid_out = -1;
  for (int64_t at = all.begin; at < all.end; ++at) {
    const int64_t t = at / heads;
    const int head = static_cast<int>(at % heads);
    float* x = op.qkv.f32(t) + int64_t{head} * dim;
    const bool is_query = head < op.heads, is_value = head >= op.heads + kv.kv_heads;
    if (!is_value) {
      const float* w = is_query ? op.q_norm : op.k_norm;
      if (w) normalise(x, w, dim, op.eps);
      if (laid_out != t) lay_out(op.table.f32(t), op.rotary_dim, op.interleaved, angles);
      laid_out = t;
      (op.interleaved ? rotate_interleaved : rotate_halves)(x, op.rotary_dim, angles);
    }
    if (is_query) continue;
    const int position = position_of(op.sequences, t);
    const int page = op.sequences.blocks[op.sequences.block_start[op.sequences.of_token[t]] + position / kPageTokens];
    const int slot = position % kPageTokens;
    uint8_t* head_page = kv.head_page(op.layer, page, (head - op.heads) % kv.kv_heads);
    (is_value ? write_value : write_key)(kv, x, slot, head_page);
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
