// What attention_page.h does, for tiles of many rows over a page of 8 bits, with a row a lane: maxima, weights and their
// steps are those of sixteen rows at once, and nothing is summed across lanes. The arithmetic of a row is the same.
//
//   q        [dim / 4][kMaxRows][4] s8, biased as keys are elsewhere     scores  [32][kMaxRows] f32
//   weights  [32 / 2][kMaxRows][2] s16                                   sums    [16][kMaxRows] f32
#pragma once

#include "native/cpu/attention_state.h"

namespace kvasir::cpu::KVASIR_ISA {

constexpr int kTokensTogether = kScoreRows;

// What a row sees of a page: tokens begin ≤ t < end. For sixteen rows.
struct Seen {
  i32x16 begin, end;
  KV_INLINE_MEMBER mask16 at(int token) const {
    return and_(less(begin, set1(int32_t{token + 1})), less(set1(int32_t{token}), end));
  }
};

// −128·Σ k of every token, which undoes the bias of the queries where they have one.
KV_INLINE void key_starts(const uint8_t* keys, int dim, int32_t* start) {
  if (!kDotBiased) {
    for (int t = 0; t < kPageTokens; t += kLanes) store(start + t, set1(int32_t{0}));
    return;
  }
  i32x16 sum[4][kVectors];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) sum[i][0] = sum[i][1] = set1(-32 * dim);
  for (int d = 0; d < dim; d += 16)
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        if (d + 4 * i < dim)
          sum[i][v] = dot4(sum[i][v], load_keys(keys + (d + 4 * i) * kPageTokens + v * 64), 0x01010101);
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    const i32x16 all = add(add(sum[0][v], sum[1][v]), add(sum[2][v], sum[3][v]));
    store(start + v * kLanes, sub(set1(int32_t{0}), shift_left<7>(all)));
  }
}

// Scaled scores of sixteen times `vectors` rows, −∞ where a row does not see, and the largest of each row.
template <int vectors, bool masked>
KV_INLINE void score_lanes(const int8_t* q, const float* q_scale, const uint8_t* keys, const float* key_scales,
                           const int32_t* start, int dim, const Seen* seen, float* scores, float* top) {
  f32x16 largest[vectors], scale[vectors];
#pragma GCC unroll 2
  for (int v = 0; v < vectors; ++v) largest[v] = set1(-kInfinity), scale[v] = load(q_scale + v * kLanes);
  for (int token = 0; token < kPageTokens; token += kTokensTogether) {
    i32x16 acc[kTokensTogether][vectors];
#pragma GCC unroll 8
    for (int t = 0; t < kTokensTogether; ++t)
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) acc[t][v] = set1(start[token + t]);
    for (int d = 0; d < dim; d += 4) {
      i32x16 query[vectors];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v)
        query[v] = load(reinterpret_cast<const int32_t*>(q + (d * kMaxRows + v * kLanes * 4)));
#pragma GCC unroll 8
      for (int t = 0; t < kTokensTogether; ++t) {
        int32_t key;
        __builtin_memcpy(&key, keys + d * kPageTokens + (token + t) * 4, 4);
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) acc[t][v] = dot4(acc[t][v], query[v], key);
      }
    }
#pragma GCC unroll 8
    for (int t = 0; t < kTokensTogether; ++t)
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        f32x16 score = mul(to_f32(acc[t][v]), mul(scale[v], set1(key_scales[token + t])));
        if (masked) score = select(seen[v].at(token + t), score, set1(-kInfinity));
        largest[v] = max(score, largest[v]);
        store(scores + (token + t) * kMaxRows + v * kLanes, score);
      }
  }
#pragma GCC unroll 2
  for (int v = 0; v < vectors; ++v) store(top + v * kLanes, largest[v]);
}

// The largest scale among the values that a row sees / 32767.
template <bool masked>
KV_INLINE f32x16 value_steps(const float* scales, const Seen& seen) {
  if (!masked) return set1(value_scales_of(scales, 0, kPageTokens).step);
  f32x16 largest = set1(0.0f);
  for (int token = 0; token < kPageTokens; ++token)
    largest = max(select(seen.at(token), set1(scales[token]), set1(0.0f)), largest);
  return div(largest, set1(32767.0f));
}

// Weights of sixteen rows in s16, with the scales of the values in them; sums takes them in.
template <bool masked>
KV_INLINE void weigh_lanes(const float* scores, f32x16 max, f32x16 past, f32x16 inverse, const float* scales,
                           const Seen& seen, float* sums, int16_t* weights) {
  for (int token = 0; token < kLanes; token += 2) {
    const int at[4] = {token, token + 1, token + kLanes, token + kLanes + 1};
    f32x16 w[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) w[i] = sub(load(scores + at[i] * kMaxRows), max);
    exp_of_negative(w);
    if (masked)
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) w[i] = select(seen.at(at[i]), w[i], set1(0.0f));
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      float* sum = sums + (token + i) * kMaxRows;
      store(sum, fma(load(sum), past, add(w[i], w[i + 2])));
    }
    i32x16 rounded[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      f32x16 scale = set1(scales[at[i]]);
      if (masked) scale = select(seen.at(at[i]), scale, set1(0.0f));
      rounded[i] = round_i32(mul(mul(w[i], scale), inverse));
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i)
      store(reinterpret_cast<int32_t*>(weights + (token + i * kLanes) * kMaxRows),
            add(rounded[2 * i], shift_left<16>(rounded[2 * i + 1])));
  }
}

// Scores and weights of all rows of the tile. `seen` is read where `masked`.
template <int vectors, bool masked>
KV_INLINE void soften_page(const KvCache& kv, uint8_t* head_page, const Seen* seen, Buffers& at) {
  alignas(64) int32_t start[kPageTokens];
  const float* scales = kv.value_scales(head_page);
  key_starts(kv.keys(head_page), kv.head_dim, start);
  score_lanes<vectors, masked>(at.lane_q, at.q_scale, kv.keys(head_page), kv.key_scales(head_page), start, kv.head_dim,
                               seen, at.scores, at.top);
  for (int v = 0; v < vectors; ++v) {
    const int r = v * kLanes;
    soften(at.max + r, at.top + r, at.past + r);
    store(at.weight_step + r, value_steps<masked>(scales, seen[v]));
    weight_steps(at.weight_step + r, at.top + r);
    // A row that sees nothing keeps what it has, even where that is nothing.
    if (masked) store(at.past + r, select(less(seen[v].begin, seen[v].end), load(at.past + r), set1(1.0f)));
    weigh_lanes<masked>(at.scores + r, load(at.max + r), load(at.past + r), load(at.top + r), scales, seen[v],
                        at.sums + r, at.weights + 2 * r);
  }
}

// reduce_add of sixteen rows' sums: lanes 8 apart, 4, 2, 1.
KV_INLINE f32x16 add_sums(const float* sums) {
  f32x16 part[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) part[i] = load(sums + i * kMaxRows);
#pragma GCC unroll 4
  for (int apart = kLanes / 2; apart > 0; apart /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < apart; ++i) part[i] = add(part[i], part[i + apart]);
  return part[0];
}

}  // namespace kvasir::cpu::KVASIR_ISA
