// What attention does with one page for the rows of a tile: scores, weights, and the weighted sum of values.
// A row is one query head of one token; the R rows of a tile share a KV head, so that its K and V are read once.
//
//   q       [R][dim] f32, or s8 with a scale a row     scores, weights  [R][32] f32
//   keys    [dim][32] f32: the page's K, transposed; or [dim / 4][32][4] s8, as it lies in the page
//   values  [32][padded] f32, or [32 / 2][dim][2] s8   acc              [R][padded] f32, padded = dim rounded up to 16
//
// Floats: scores are one fma chain in ascending dim, sums over values one in ascending token. Bytes: exact integers,
// with weights in s16. None of it depends on how many rows there are.
#pragma once

#include "native/cpu/vec.h"
#include "native/ops/kv_cache.h"

namespace kvasir::cpu::KVASIR_ISA {

constexpr int kVectors = kPageTokens / kLanes;  // of a row of scores

// out[c][token] = in[token][c] for the words c < count of every token's row; rows are `stride` bytes apart.
KV_INLINE void transpose_words(const uint8_t* in, int64_t stride, int count, uint32_t* out) {
  typedef uint32_t u32x4 __attribute__((vector_size(16)));
  int c = 0;
  for (; c + 4 <= count; c += 4) {
    for (int token = 0; token < kPageTokens; token += 4) {
      u32x4 a, b, d, e;
      __builtin_memcpy(&a, in + (token + 0) * stride + c * 4, 16);
      __builtin_memcpy(&b, in + (token + 1) * stride + c * 4, 16);
      __builtin_memcpy(&d, in + (token + 2) * stride + c * 4, 16);
      __builtin_memcpy(&e, in + (token + 3) * stride + c * 4, 16);
      const u32x4 ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
      const u32x4 de0 = __builtin_shufflevector(d, e, 0, 4, 1, 5), de1 = __builtin_shufflevector(d, e, 2, 6, 3, 7);
      const u32x4 column[4] = {
          __builtin_shufflevector(ab0, de0, 0, 1, 4, 5), __builtin_shufflevector(ab0, de0, 2, 3, 6, 7),
          __builtin_shufflevector(ab1, de1, 0, 1, 4, 5), __builtin_shufflevector(ab1, de1, 2, 3, 6, 7)};
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) __builtin_memcpy(out + (c + i) * kPageTokens + token, &column[i], 16);
    }
  }
  for (; c < count; ++c)
    for (int token = 0; token < kPageTokens; ++token)
      __builtin_memcpy(out + c * kPageTokens + token, in + token * stride + c * 4, 4);
}

// scores[r][token] = q[r]·keys[token] for `rows` rows, unscaled.
template <int rows>
KV_INLINE void score_f32(const float* q, const float* keys, int dim, float* scores) {
  f32x16 acc[rows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) acc[r][0] = acc[r][1] = set1(0.0f);
  for (int d = 0; d < dim; ++d) {
    const f32x16 low = load(keys + d * kPageTokens), high = load(keys + d * kPageTokens + kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      const f32x16 x = set1(q[r * dim + d]);
      acc[r][0] = fma(low, x, acc[r][0]);
      acc[r][1] = fma(high, x, acc[r][1]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    store(scores + r * kPageTokens, acc[r][0]);
    store(scores + r * kPageTokens + kLanes, acc[r][1]);
  }
}

// The same in integers; `start[r]` undoes the bias of the keys where there is one.
template <int rows>
KV_INLINE void score_s8(const int8_t* q, const int32_t* start, const uint8_t* keys, int dim, float* scores) {
  i32x16 acc[rows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) acc[r][0] = acc[r][1] = set1(start[r]);
  for (int d = 0; d < dim; d += 4) {
    const i32x16 low = load_keys(keys + d * kPageTokens), high = load_keys(keys + d * kPageTokens + 64);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      int32_t x;
      __builtin_memcpy(&x, q + r * dim + d, 4);
      acc[r][0] = dot4(acc[r][0], low, x);
      acc[r][1] = dot4(acc[r][1], high, x);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    store(scores + r * kPageTokens, to_f32(acc[r][0]));
    store(scores + r * kPageTokens + kLanes, to_f32(acc[r][1]));
  }
}

// The rows of V, from the buffer or straight from the page. Widening s8 or f16 is exact, so both give the same sums.
struct WideValues {
  const float* rows;
  int stride;
  KV_INLINE_MEMBER f32x16 at(int token, int d) const { return load(rows + token * stride + d); }
};
struct HalfValues {
  const uint16_t* rows;
  int stride;
  KV_INLINE_MEMBER f32x16 at(int token, int d) const { return load_f16(rows + token * stride + d); }
};

// acc[r] = past[r]·acc[r] + Σ weights[r][token]·values[token] over tokens begin ≤ token < end, for `rows` rows and the `vectors`
// vectors that start at value d.
template <int rows, int vectors, typename Values>
KV_INLINE void weigh(const float* weights, const float* past, const Values& values, int d, int padded, int begin,
                     int end, float* acc) {
  f32x16 sum[rows][vectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sum[r][v] = mul(load(acc + r * padded + d + v * kLanes), set1(past[r]));
  for (int token = begin; token < end; ++token) {
    f32x16 value[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) value[v] = values.at(token, d + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      const f32x16 w = set1(weights[r * kPageTokens + token]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[r][v] = fma(w, value[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) store(acc + r * padded + d + v * kLanes, sum[r][v]);
}

template <int rows, typename Values>
KV_INLINE void weigh_rows(const float* weights, const float* past, const Values& values, int padded, int begin, int end,
                          float* acc) {
  int d = 0;
  for (; d + kTileVectors * kLanes <= padded; d += kTileVectors * kLanes)
    weigh<rows, kTileVectors>(weights, past, values, d, padded, begin, end, acc);
  for (; d < padded; d += kLanes) weigh<rows, 1>(weights, past, values, d, padded, begin, end, acc);
}

// How far apart the s16 weights of two rows are, and those of two tokens; a pair of tokens lies together.
struct WeightSteps {
  int row, token;
};

// acc[r] = past[r]·acc[r] + step[r]·Σ weights[r][token]·values[token], where weights are s16 and values the page's [32 / 2][dim][2] s8;
// tokens from `end` on weigh nothing. Lanes past dim get what lies behind a row, and nobody reads them.
template <int rows, int vectors>
KV_INLINE void weigh_s8(const int16_t* weights, WeightSteps steps, const float* step, const float* past,
                        const int8_t* values, int dim, int d, int padded, int end, float* acc) {
  i32x16 sum[rows][vectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sum[r][v] = set1(int32_t{0});
  for (int token = 0; token < end; token += 2) {
    i32x16 value[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) value[v] = load_pairs(values + token * dim + 2 * (d + v * kLanes));
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      int32_t w;
      __builtin_memcpy(&w, weights + r * steps.row + token * steps.token, sizeof(w));
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[r][v] = dot2(sum[r][v], value[v], w);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      float* at = acc + r * padded + d + v * kLanes;
      store(at, fma(to_f32(sum[r][v]), set1(step[r]), mul(load(at), set1(past[r]))));
    }
}

template <int rows>
KV_INLINE void weigh_rows_s8(const int16_t* weights, WeightSteps steps, const float* step, const float* past,
                             const int8_t* values, int dim, int padded, int end, float* acc) {
  int d = 0;
  for (; d + kTileVectors * kLanes <= padded; d += kTileVectors * kLanes)
    weigh_s8<rows, kTileVectors>(weights, steps, step, past, values, dim, d, padded, end, acc);
  for (; d < padded; d += kLanes) weigh_s8<rows, 1>(weights, steps, step, past, values, dim, d, padded, end, acc);
}

// The running state of a row: the largest score so far and the sum of weights relative to it.
struct Running {
  float max;
  float sum;
};

// The softmax weights of a page, relative to the largest score so far, come of three passes, since what a row has one of
// is computed for sixteen rows at once: mask_scores for each row, soften for all, weigh_scores for each row.

// A row's scores, scaled, with −∞ outside [begin, end), whatever those slots hold; the largest is returned.
KV_INLINE float mask_scores(float* scores, f32x16 low_by, f32x16 high_by, int begin, int end) {
  f32x16 low = mul(load(scores), low_by), high = mul(load(scores + kLanes), high_by);
  if (begin > 0 || end < kPageTokens) {
    low = select(lane_range(begin, end), low, set1(-kInfinity));
    high = select(lane_range(begin - kLanes, end - kLanes), high, set1(-kInfinity));
  }
  store(scores, low);
  store(scores + kLanes, high);
  return reduce_max(max(low, high));
}

// Sixteen rows: `max` moves to `top` where that is larger, `top` becomes the weight that no token of the page exceeds,
// and `past` what multiplies the sums of earlier pages. There is no branch on whether a maximum moves: it would be
// mispredicted, and exp(0) is exactly 1.
KV_INLINE void soften(float* max, float* top, float* past) {
  const f32x16 old = load(max), largest = cpu::KVASIR_ISA::max(load(top), old);
  store(max, largest);
  store(top, exp_of_negative(sub(load(top), largest)));
  store(past, exp_of_negative(sub(old, largest)));
}

struct Weights {
  f32x16 low, high;
};

// A row's weights; its sixteen partial sums are rescaled and take them in.
KV_INLINE Weights weigh_scores(const float* scores, float max, float past, float* sums) {
  const f32x16 low = exp_of_negative(sub(load(scores), set1(max)));
  const f32x16 high = exp_of_negative(sub(load(scores + kLanes), set1(max)));
  store(sums, fma(load(sums), set1(past), add(low, high)));
  return {low, high};
}

// The scales of a page's values, and what is made of their largest: see weight_steps.
struct ValueScales {
  f32x16 low, high;
  float step;  // largest / 32767
};

// The scales of tokens [begin, end), which are what one row sees and no more; what other slots hold counts as 0.
KV_INLINE ValueScales value_scales_of(const float* scales, int begin, int end) {
  const f32x16 low = select(lane_range(begin, end), load(scales), set1(0.0f));
  const f32x16 high = select(lane_range(begin - kLanes, end - kLanes), load(scales + kLanes), set1(0.0f));
  return {low, high, reduce_max(max(low, high)) / 32767.0f};
}

// Sixteen rows: the step of a row's weights in s16 takes the place of its largest value scale / 32767, and its inverse
// that of the weight that none exceeds.
KV_INLINE void weight_steps(float* step, float* top) {
  const f32x16 product = mul(load(top), load(step));
  const mask16 holds = less(set1(1e-34f), product);  // else it vanishes, and its inverse would overflow
  store(step, select(holds, product, set1(0.0f)));
  store(top, select(holds, div(set1(1.0f), product), set1(0.0f)));
}

// Weights times the scales of their values to s16.
KV_INLINE void quantize_weights(const Weights& weights, const ValueScales& scales, float inverse, int16_t* out) {
  const f32x16 by = set1(inverse);
  store_s16(out, round_i32(mul(mul(weights.low, scales.low), by)));
  store_s16(out + kLanes, round_i32(mul(mul(weights.high, scales.high), by)));
}

// total ⊕= part, where each is a softmax over its own tokens.
KV_INLINE void merge(const Running& part, const float* part_acc, int padded, Running* total, float* total_acc) {
  const float top = part.max > total->max ? part.max : total->max;
  const f32x16 past = exp(set1(total->max - top)), now = exp(set1(part.max - top));
  total->sum = first(fma(set1(part.sum), now, mul(set1(total->sum), past)));
  total->max = top;
  for (int d = 0; d < padded; d += kLanes)
    store(total_acc + d, fma(load(part_acc + d), now, mul(load(total_acc + d), past)));
}

}  // namespace kvasir::cpu::KVASIR_ISA
