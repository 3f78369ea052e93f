// A tile of attention: the query heads of one KV head (at most kMaxRows of them) for a few consecutive tokens of one
// sequence. Decode is a tile of one token, prefill many of several: a row's arithmetic is the same.
#pragma once

#include "native/cpu/attention_lanes.h"

namespace kvasir::cpu::KVASIR_ISA {

// The tile's queries: as they are, or in s8 for kv8, with the softmax scale folded into theirs.
static void load_queries(const Attention& op, const Tile& tile, Buffers& at) {
  const int dim = op.kv.head_dim, rows = tile.tokens * tile.heads;
  at.lanes = op.kv.dtype == Dtype::kv8 && rows > kFewRows;
  for (int r = 0; r < rows; ++r) {
    const float* q = op.qkv.f32(tile.token + r / tile.heads) + int64_t{tile.head + r % tile.heads} * dim;
    if (op.kv.dtype == Dtype::kv8) {
      int8_t* q8 = at.q8() + r * dim;
      const QuantizedRow row = quantize_row(q, dim, q8);
      at.q_scale[r] = row.scale * op.scale;
      at.q_start[r] = kDotBiased ? -128 * row.sum : 0;
    } else {
      for (int i = 0; i < dim; ++i) at.q[r * dim + i] = q[i];
    }
  }
  if (!at.lanes) return;
  for (int r = rows; r < kMaxRows; ++r) at.q_scale[r] = 0;
  for (int d = 0; d < dim; d += 4) {
    uint8_t* lane = reinterpret_cast<uint8_t*>(at.lane_q) + d * kMaxRows;
    for (int r = 0; r < kMaxRows; ++r) {
      uint32_t four = 0;
      if (r < rows) __builtin_memcpy(&four, at.q8() + r * dim + d, 4);
      if (kDotBiased) four ^= 0x80808080;
      __builtin_memcpy(lane + 4 * r, &four, 4);
    }
  }
}

// Whether V is widened into the buffer first: worth it when more rows read it than fit the registers twice, and needed
// where a row ends in half a vector.
KV_INLINE bool widens(const KvCache& kv, int rows) {
  return kv.dtype != Dtype::kv8 && (kv.head_dim % kLanes != 0 || (rows > 2 * kTileRows && kv.dtype != Dtype::f32));
}

// A page of floats into the buffers: K transposed, and V as f32 if asked. Only tokens before `end` were ever written; the others'
// scores are computed from whatever is there and never looked at.
static void load_page(const KvCache& kv, uint8_t* head_page, int end, bool widen, Buffers& at) {
  const int dim = kv.head_dim, padded = (dim + kLanes - 1) / kLanes * kLanes;
  uint8_t *keys = kv.keys(head_page), *values = kv.values(head_page);
  uint32_t* transposed = reinterpret_cast<uint32_t*>(at.keys);
  const auto fill = [&](const auto* rows, int count, auto load_some) KV_LAMBDA {
    for (int t = 0; t < count; ++t)
      for (int d = 0; d < dim; d += kLanes) store(at.values + t * padded + d, load_some(rows + t * dim + d, dim - d));
  };
  const auto from_f16 = [](const uint16_t* p, int64_t n) KV_LAMBDA { return load_f16(p, n); };
  const auto from_f32 = [](const float* p, int64_t n) KV_LAMBDA { return load(p, n); };
  if (kv.dtype == Dtype::f16) {
    fill(reinterpret_cast<uint16_t*>(keys), end, from_f16);
    transpose_words(reinterpret_cast<uint8_t*>(at.values), padded * 4, dim, transposed);
    if (widen) fill(reinterpret_cast<uint16_t*>(values), end, from_f16);
  } else {
    transpose_words(keys, dim * 4, dim, transposed);
    if (widen) fill(reinterpret_cast<float*>(values), end, from_f32);
  }
}

// some(rows, r) for rows [begin, end), `most` at once.
template <int most, typename Some>
KV_INLINE void by_rows(int begin, int end, Some some) {
  int r = begin;
  for (; r + most <= end; r += most) some(Count<most>(), r);
  if (most > 4 && r + 4 <= end) some(Count<4>(), r), r += 4;
  if (most > 3 && r + 3 <= end) some(Count<3>(), r), r += 3;
  if (most > 2 && r + 2 <= end) some(Count<2>(), r), r += 2;
  if (r < end) some(Count<1>(), r);
}

// Scores of rows [begin, end) against the page, unscaled. `keys`: the page's own, for kv8.
static void score(const KvCache& kv, const uint8_t* keys, int begin, int end, Buffers& at) {
  const int dim = kv.head_dim;
  by_rows<kScoreRows>(begin, end, [&](auto rows, int r) KV_LAMBDA {
    if (kv.dtype == Dtype::kv8)
      score_s8<rows()>(at.q8() + r * dim, at.q_start + r, keys, dim, at.scores + r * kPageTokens);
    else
      score_f32<rows()>(at.q + r * dim, at.keys, dim, at.scores + r * kPageTokens);
  });
}

// acc of rows [begin, end) += weights · values, over the page's tokens [first, last).
template <typename Values>
KV_INLINE void weigh_all(const Values& values, int padded, int begin, int end, int first, int last, Buffers& at) {
  by_rows<kTileRows>(begin, end, [&](auto rows, int r) KV_LAMBDA {
    weigh_rows<rows()>(at.scores + r * kPageTokens, at.past + r, values, padded, first, last, at.acc + r * padded);
  });
}
static void weigh_page(const KvCache& kv, uint8_t* head_page, bool widened, int begin, int end, int first, int last,
                       Buffers& at) {
  const int dim = kv.head_dim, padded = (dim + kLanes - 1) / kLanes * kLanes;
  const uint8_t* values = kv.values(head_page);
  if (widened)
    weigh_all(WideValues{at.values, padded}, padded, begin, end, first, last, at);
  else if (kv.dtype == Dtype::f16)
    weigh_all(HalfValues{reinterpret_cast<const uint16_t*>(values), dim}, padded, begin, end, first, last, at);
  else
    weigh_all(WideValues{reinterpret_cast<const float*>(values), dim}, padded, begin, end, first, last, at);
}

// The page that is read `ahead` pages after page `page` of the tile: a later one of its own, of its next KV head, or of
// the next sequence. Null where nothing is known.
KV_INLINE const uint8_t* page_after(const Attention& op, const Tile& tile, int page, int ahead) {
  int sequence = tile.sequence, head = tile.kv_head, position = tile.position;
  int past = page + ahead - ((position + tile.tokens - 1) / kPageTokens + 1);
  if (past >= 0) {
    if (++head == op.kv.kv_heads) {
      if (++sequence == op.sequences.count) return nullptr;
      head = 0;
      position = op.sequences.position[sequence];
    }
    page = first_visible(op, position) / kPageTokens;
    if (page + past > position / kPageTokens) return nullptr;
    ahead = past;
  }
  return op.kv.head_page(op.layer, op.sequences.blocks[op.sequences.block_start[sequence] + page + ahead], head);
}

// Asks for what a tile that streams reads two pages from now. A third at a time, between the passes over a page: all at once would fill
// the queue of misses. Inlined, because GCC drops calls that do nothing but prefetch.
KV_INLINE void prefetch_ahead(const Attention& op, const Tile& tile, int page_position, int third) {
  if (!tile.streams) return;
  const uint8_t* data = page_after(op, tile, page_position / kPageTokens, kPagesAhead);
  if (!data) return;
  const int64_t bytes = op.kv.head_page_bytes();
  for (int64_t i = bytes * third / 3 & ~63; i < bytes * (third + 1) / 3; i += 64) __builtin_prefetch(data + i, 0, 2);
}

// acc of rows [begin, end) over a page of 8 bits, whose tokens from `last` on weigh nothing. Weights of a row are
// `row_step` apart, those of a token `token_step`.
static void weigh_bytes(const KvCache& kv, uint8_t* head_page, int padded, int begin, int end, int last, Buffers& at) {
  const int8_t* values = reinterpret_cast<const int8_t*>(kv.values(head_page));
  const WeightSteps steps = at.lanes ? WeightSteps{2, kMaxRows} : WeightSteps{kPageTokens, 1};
  by_rows<kTileRows>(begin, end, [&](auto rows, int r) KV_LAMBDA {
    weigh_rows_s8<rows()>(at.weights + r * steps.row, steps, at.weight_step + r, at.past + r, values, kv.head_dim,
                          padded, last, at.acc + r * padded);
  });
}

// One page, for every token of the tile that sees some of it.
static void attend_page(const Attention& op, const Tile& tile, int page_position, Buffers& at) {
  const KvCache& kv = op.kv;
  const int padded = padded_dim(op);
  const auto begin_of = [&](int token) KV_LAMBDA {
    const int begin = first_visible(op, tile.position + token) - page_position;
    return begin > 0 ? begin : 0;
  };
  const auto end_of = [&](int token) KV_LAMBDA {
    const int end = tile.position + token + 1 - page_position;
    return end < kPageTokens ? end : kPageTokens;
  };
  int from = 0, to = tile.tokens;
  while (from < to && begin_of(from) >= end_of(from)) ++from;
  while (to > from && begin_of(to - 1) >= end_of(to - 1)) --to;
  if (from == to) return;

  const StepSequences& sequences = op.sequences;
  const int page = sequences.blocks[sequences.block_start[tile.sequence] + page_position / kPageTokens];
  uint8_t* head_page = kv.head_page(op.layer, page, tile.kv_head);
  prefetch_ahead(op, tile, page_position, 0);
  if (at.lanes) {
    Seen seen[kMaxRows / kLanes];
    alignas(64) int32_t begin[kMaxRows] = {}, end[kMaxRows] = {};
    const bool masked = begin_of(tile.tokens - 1) > 0 || end_of(0) < kPageTokens;
    if (masked) {
      for (int r = 0; r < tile.tokens * tile.heads; ++r) {
        begin[r] = begin_of(r / tile.heads);
        end[r] = end_of(r / tile.heads);
      }
      for (int v = 0; v < kMaxRows / kLanes; ++v) seen[v] = {load(begin + v * kLanes), load(end + v * kLanes)};
      soften_page<2, true>(kv, head_page, seen, at);
    } else {
      soften_page<2, false>(kv, head_page, seen, at);
    }
    prefetch_ahead(op, tile, page_position, 1);
    prefetch_ahead(op, tile, page_position, 2);
    return weigh_bytes(kv, head_page, padded, from * tile.heads, to * tile.heads, end_of(to - 1), at);
  }
  const bool quantised = kv.dtype == Dtype::kv8, widen = widens(kv, (to - from) * tile.heads);
  if (!quantised) load_page(kv, head_page, end_of(to - 1), widen, at);
  score(kv, kv.keys(head_page), from * tile.heads, to * tile.heads, at);

  prefetch_ahead(op, tile, page_position, 1);
  // Calls some(row, begin, end, scales of the values) for every row that sees the page.
  const auto over_rows = [&](auto some) KV_LAMBDA {
    ValueScales scales = {};
    for (int token = from; token < to; ++token) {
      const int begin = begin_of(token), end = end_of(token);
      const bool same = token > from && begin == begin_of(token - 1) && end == end_of(token - 1);
      if (quantised && !same) scales = value_scales_of(kv.value_scales(head_page), begin, end);
      for (int r = token * tile.heads; r < (token + 1) * tile.heads; ++r) some(r, begin, end, scales);
    }
  };
  const float* key_scales = kv.key_scales(head_page);
  for (int r = 0; r < kMaxRows; r += kLanes) store(at.top + r, set1(-kInfinity));
  over_rows([&](int r, int begin, int end, const ValueScales& scales) KV_LAMBDA {
    f32x16 low_by = set1(quantised ? at.q_scale[r] : op.scale), high_by = low_by;
    if (quantised) low_by = mul(low_by, load(key_scales)), high_by = mul(high_by, load(key_scales + kLanes));
    at.top[r] = mask_scores(at.scores + r * kPageTokens, low_by, high_by, begin, end);
    at.weight_step[r] = scales.step;
  });
  for (int r = from * tile.heads / kLanes * kLanes; r < to * tile.heads; r += kLanes) {
    soften(at.max + r, at.top + r, at.past + r);
    if (quantised) weight_steps(at.weight_step + r, at.top + r);
  }
  over_rows([&](int r, int, int, const ValueScales& scales) KV_LAMBDA {
    float* scores = at.scores + r * kPageTokens;
    const Weights weights = weigh_scores(scores, at.max[r], at.past[r], at.sums + r * kLanes);
    if (quantised) {
      quantize_weights(weights, scales, at.top[r], at.weights + r * kPageTokens);
    } else {
      store(scores, weights.low);
      store(scores + kLanes, weights.high);
    }
  });
  prefetch_ahead(op, tile, page_position, 2);
  if (quantised) return weigh_bytes(kv, head_page, padded, from * tile.heads, to * tile.heads, end_of(to - 1), at);
  // Tokens that see the same part of the page go together.
  for (int token = from; token < to;) {
    const int first = begin_of(token), last = end_of(token);
    int after = token + 1;
    while (after < to && begin_of(after) == first && end_of(after) == last) ++after;
    weigh_page(kv, head_page, widen, token * tile.heads, after * tile.heads, first, last, at);
    token = after;
  }
}

// The part of the tile's attention that lies in one split, into running and acc.
static void attend_split(const Attention& op, const Tile& tile, int split, Buffers& at) {
  const int rows = tile.tokens * tile.heads, padded = padded_dim(op);
  for (int r = 0; r < kMaxRows; r += kLanes) store(at.max + r, set1(-kInfinity));
  for (int i = 0; i < kMaxRows * kLanes; i += kLanes) store(at.sums + i, set1(0.0f));
  for (int i = 0; i < rows * padded; i += kLanes) store(at.acc + i, set1(0.0f));
  const int seen = first_visible(op, tile.position) / kPageTokens * kPageTokens;
  const int last = tile.position + tile.tokens;
  const int begin = seen > split * kSplitTokens ? seen : split * kSplitTokens;
  const int end = last < (split + 1) * kSplitTokens ? last : (split + 1) * kSplitTokens;
  for (int page = begin; page < end; page += kPageTokens) attend_page(op, tile, page, at);
  if (at.lanes) {
    alignas(64) float sum[kMaxRows];
    for (int r = 0; r < rows; r += kLanes) store(sum + r, add_sums(at.sums + r));
    for (int r = 0; r < rows; ++r) at.running[r] = {at.max[r], sum[r]};
  } else {
    for (int r = 0; r < rows; ++r) at.running[r] = {at.max[r], reduce_add(load(at.sums + r * kLanes))};
  }
}

// y = acc / sum, for one row.
static void write_row(const Attention& op, int token, int head, const Running& running, const float* acc) {
  const int dim = op.kv.head_dim;
  const f32x16 by = set1(1.0f / running.sum);
  const int64_t column = int64_t{head} * dim;
  if (op.y.dtype == Dtype::act8) {
    for (int d = 0; d < dim; d += kGroup) {
      const int64_t group = (column + d) / kGroup;
      quantize_group(mul(load(acc + d), by), mul(load(acc + d + kLanes), by), op.y.q(token) + column + d,
                     op.y.scale(token) + group, op.y.sum(token) + group);
    }
  } else {
    for (int d = 0; d < dim; d += kLanes) store(op.y.f32(token) + column + d, mul(load(acc + d), by), dim - d);
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
