// One query head of one token, by a warp: a lane to a token of the page for the scores, and to a few dimensions for the
// weighted values. Every number is added up in the order of native/ops/attention.h.
//
// Shared memory of the warp: the query (s8 or f32, kMaxHeadDim), then the 32 weights of a page (s16 or f32).
#pragma once

#include "native/cuda/contract.h"
#include "native/cuda/softmax.h"
#include "native/cuda/tiles.h"

namespace kvasir::cuda {

// Lane l holds dimensions 64·j + 2·l + i as value 2·j + i.
constexpr int kRowValues = kMaxHeadDim / 32;
__device__ __forceinline__ int dim_of(int value) {
  return value / 2 * 64 + static_cast<int>(threadIdx.x % 32) * 2 + value % 2;
}

struct RowQuery {
  float* shared;
  float scale;  // of a score: the softmax scale, times the query's own for kv8

  __device__ __forceinline__ float* weights() const { return shared + kMaxHeadDim; }

  __device__ __forceinline__ void load(const Attention& op, const float* q, float* room) {
    const int lane = static_cast<int>(threadIdx.x % 32), dim = op.kv.head_dim;
    shared = room;
    scale = op.scale;
    __syncwarp();
    if (op.kv.dtype != Dtype::kv8) {
      for (int i = lane; i < dim; i += 32) shared[i] = q[i];
    } else {
      int top = 0;
      for (int i = lane; i < dim; i += 32) top = max(top, magnitude(q[i]));
      const Quantum quantum = quantum_of(__int_as_float(max_over<32>(top)));
      for (int i = lane; i < dim; i += 32)
        reinterpret_cast<int8_t*>(shared)[i] = static_cast<int8_t>(quantized(q[i], quantum.inverse));
      scale = quantum.scale * op.scale;
    }
    __syncwarp();
  }
};

// Values i and i + 1 of a row; i is even.
__device__ __forceinline__ void load_pair(const uint8_t* row, Dtype dtype, int i, float* to) {
  if (dtype == Dtype::f32) {
    load8(to, reinterpret_cast<const float*>(row) + i);
  } else {
    const uint32_t both = *reinterpret_cast<const uint32_t*>(row + i * 2);
    to[0] = from_f16(static_cast<uint16_t>(both));
    to[1] = from_f16(static_cast<uint16_t>(both >> 16));
  }
}
// Four values, or eight of 16 bits: 16 bytes.
__device__ __forceinline__ float add_products(const uint8_t* row, Dtype dtype, int i, const float* q, float dot) {
  uint32_t word[4];
  const int each = dtype == Dtype::f32 ? 1 : 2;
  load16(word, reinterpret_cast<const uint32_t*>(row + i * (4 / each)));
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (each == 1) {
      dot = fmaf(__uint_as_float(word[j]), q[i + j], dot);
    } else {
      dot = fmaf(from_f16(static_cast<uint16_t>(word[j])), q[i + 2 * j], dot);
      dot = fmaf(from_f16(static_cast<uint16_t>(word[j] >> 16)), q[i + 2 * j + 1], dot);
    }
  }
  return dot;
}

// This lane's token of the page: q · k, scaled.
__device__ __forceinline__ float score(const RowQuery& query, const KvCache& kv, uint8_t* page, int lane) {
  const int dim = kv.head_dim;
  if (kv.dtype == Dtype::kv8) {
    const auto* keys = reinterpret_cast<const uint32_t*>(kv.keys(page));
    const auto* q = reinterpret_cast<const uint32_t*>(query.shared);
    int dot = 0;
    for (int i = 0; i < dim / 4; ++i) dot = dot4(keys[i * kPageTokens + lane], q[i], dot);
    return static_cast<float>(dot) * (query.scale * kv.key_scales(page)[lane]);
  }
  const uint8_t* row = kv.keys(page) + lane * kv.row_bytes();
  const int each = kv.dtype == Dtype::f32 ? 4 : 8, whole = kv.row_bytes() % 16 == 0 ? dim : 0;
  float dot = 0.0f;
  for (int i = 0; i < whole; i += each) dot = add_products(row, kv.dtype, i, query.shared, dot);
  for (int i = whole; i < dim; i += 2) {
    float key[2];
    load_pair(row, kv.dtype, i, key);
    dot = fmaf(key[1], query.shared[i + 1], fmaf(key[0], query.shared[i], dot));
  }
  return dot * query.scale;
}

// acc ← past · acc + weights · values, over the page's tokens [begin, end). `weight` is this lane's token's, `top` the
// largest of all.
__device__ __forceinline__ void weigh_bytes(const RowQuery& query, const KvCache& kv, uint8_t* page, int begin, int end,
                                            float weight, float top, float past, float* acc) {
  const int lane = static_cast<int>(threadIdx.x % 32), dim = kv.head_dim;
  const float scale = lane >= begin && lane < end ? kv.value_scales(page)[lane] : 0.0f;
  const Quantum quantum = weight_quantum(top, max_over<32>(scale) / 32767.0f);
  auto* weights = reinterpret_cast<int16_t*>(query.weights());
  __syncwarp();
  weights[lane] = static_cast<int16_t>(__float2int_rn(weight * scale * quantum.inverse));
  __syncwarp();
  const auto* pairs = reinterpret_cast<const uint32_t*>(weights);
  const auto* values = reinterpret_cast<const uint32_t*>(kv.values(page));
#pragma unroll
  for (int j = 0; j < kRowValues / 2; ++j) {
    if (dim_of(2 * j) >= dim) break;
    int low = 0, high = 0;
    for (int pair = 0; pair * 2 < end; ++pair) {
      const uint32_t word = values[pair * (dim / 2) + j * 32 + lane];  // two tokens of two dimensions
      low = dot2_low(pairs[pair], word, low);
      high = dot2_high(pairs[pair], word, high);
    }
    acc[2 * j] = fmaf(static_cast<float>(low), quantum.scale, acc[2 * j] * past);
    acc[2 * j + 1] = fmaf(static_cast<float>(high), quantum.scale, acc[2 * j + 1] * past);
  }
}

__device__ __forceinline__ void weigh_floats(const RowQuery& query, const KvCache& kv, uint8_t* page, int begin,
                                             int end, float weight, float past, float* acc) {
  const int lane = static_cast<int>(threadIdx.x % 32), dim = kv.head_dim;
  __syncwarp();
  query.weights()[lane] = weight;
  __syncwarp();
#pragma unroll
  for (int j = 0; j < kRowValues / 2; ++j) {
    const int d = dim_of(2 * j);
    if (d >= dim) break;
    float low = acc[2 * j] * past, high = acc[2 * j + 1] * past;
    for (int token = begin; token < end; ++token) {
      float value[2];
      load_pair(kv.values(page) + token * kv.row_bytes(), kv.dtype, d, value);
      low = fmaf(query.weights()[token], value[0], low);
      high = fmaf(query.weights()[token], value[1], high);
    }
    acc[2 * j] = low;
    acc[2 * j + 1] = high;
  }
}

// The part of the row's attention that lies in one split of its context.
__device__ __forceinline__ void attend_split(const Attention& op, const RowQuery& query, const int32_t* blocks,
                                             int position, int kv_head, int split, Running& running, float* acc) {
  const KvCache& kv = op.kv;
  const int lane = static_cast<int>(threadIdx.x % 32), seen = first_visible(op, position);
  float sums = 0.0f;  // lane l and l + 16 hold the l-th of sixteen
  running = {};
#pragma unroll
  for (int i = 0; i < kRowValues; ++i) acc[i] = 0.0f;
  const int from = max(seen / kPageTokens * kPageTokens, split * kSplitTokens);
  const int to = min(position + 1, (split + 1) * kSplitTokens);
  for (int at = from; at < to; at += kPageTokens) {
    uint8_t* page = kv.head_page(op.layer, blocks[at / kPageTokens], kv_head);
    const int begin = max(seen - at, 0), end = min(position + 1 - at, kPageTokens);
    const bool sees = lane >= begin && lane < end;
    const float x = sees ? score(query, kv, page, lane) : -INFINITY, top = max_over<32>(x);
    const float most = top > running.most ? top : running.most, past = exp_of(running.most - most);
    const float weight = sees ? exp_of(x - most) : 0.0f;
    sums = fmaf(sums, past, weight + __shfl_xor_sync(kAllLanes, weight, 16));
    running.most = most;
    if (kv.dtype == Dtype::kv8)
      weigh_bytes(query, kv, page, begin, end, weight, exp_of(top - most), past, acc);
    else
      weigh_floats(query, kv, page, begin, end, weight, past, acc);
  }
  running.sum = sum_over<16>(sums);
}

// y = acc / sum.
__device__ __forceinline__ void write_row(const Attention& op, int token, int head, float sum, const float* acc) {
  const int dim = op.kv.head_dim, column = head * dim;
  const float by = 1.0f / sum;
#pragma unroll
  for (int j = 0; j < kRowValues / 2; ++j) {
    const int d = dim_of(2 * j);
    const float low = acc[2 * j] * by, high = acc[2 * j + 1] * by;
    if (op.y.dtype != Dtype::act8) {
      if (d < dim) op.y.f32(token)[column + d] = low;
      if (d + 1 < dim) op.y.f32(token)[column + d + 1] = high;
      continue;
    }
    // A group of 32 lies in sixteen lanes; dim is a multiple of 32.
    if (j * 64 >= dim) break;
    const bool inside = d < dim;
    const int top = inside ? max(magnitude(low), magnitude(high)) : 0;
    const Quantum quantum = quantum_of(__int_as_float(max_over<16>(top)));
    const int a = inside ? quantized(low, quantum.inverse) : 0, b = inside ? quantized(high, quantum.inverse) : 0;
    const int both = sum_over<16>(a + b);
    if (!inside) continue;
    op.y.q(token)[column + d] = static_cast<int8_t>(a);
    op.y.q(token)[column + d + 1] = static_cast<int8_t>(b);
    if (d % 32 != 0) continue;
    op.y.scale(token)[(column + d) / kGroup] = quantum.scale;
    op.y.sum(token)[(column + d) / kGroup] = both;
  }
}

}  // namespace kvasir::cuda
