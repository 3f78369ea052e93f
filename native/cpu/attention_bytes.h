// Pages of 8 bits for the rows of a tile: many rows a page at a time, with a row a lane; few rows all pages of a split
// together, pass by pass, so that the long chain from scores to weights of one page runs beside those of the others.
#pragma once

#include "native/cpu/attention_lanes.h"

namespace kvasir::cpu::KVASIR_ISA {

// acc of rows [begin, end) over a page, whose tokens from `last` on weigh nothing. The weights of row r and its steps
// stand in slot `shift` + r.
static void weigh_bytes(const KvCache& kv, uint8_t* head_page, int padded, int begin, int end, int last, int shift,
                        Buffers& at) {
  const int8_t* values = reinterpret_cast<const int8_t*>(kv.values(head_page));
  const WeightSteps steps = at.lanes ? WeightSteps{2, kMaxRows} : WeightSteps{kPageTokens, 1};
  by_rows<kTileRows>(begin, end, [&](auto rows, int r) KV_LAMBDA {
    const int slot = shift + r;
    weigh_rows_s8<rows()>(at.weights + slot * steps.row, steps, at.weight_step + slot, at.past + slot, values,
                          kv.head_dim, padded, last, at.acc + r * padded);
  });
}

static void attend_many(const Attention& op, const Tile& tile, int page_position, Buffers& at) {
  const KvCache& kv = op.kv;
  const Sight sight(op, tile, page_position);
  if (sight.from == sight.to) return;
  uint8_t* head_page = head_page_of(op, tile.sequence, page_position / kPageTokens, tile.kv_head);
  Seen seen[kMaxRows / kLanes] = {};
  if (sight.everything()) {
    soften_page<kMaxRows / kLanes, false>(kv, head_page, seen, at);
  } else {
    alignas(64) int32_t begin[kMaxRows] = {}, end[kMaxRows] = {};
    for (int r = 0; r < tile.tokens * tile.heads; ++r) {
      begin[r] = sight.begin(r / tile.heads);
      end[r] = sight.end(r / tile.heads);
    }
    for (int v = 0; v < kMaxRows / kLanes; ++v) seen[v] = {load(begin + v * kLanes), load(end + v * kLanes)};
    soften_page<kMaxRows / kLanes, true>(kv, head_page, seen, at);
  }
  weigh_bytes(kv, head_page, padded_dim(op), sight.first_row(), sight.last_row(), sight.end(sight.to - 1), 0, at);
}

// Asks for bytes [begin, end) of a head page. Inlined, because GCC drops calls that do nothing but prefetch.
KV_INLINE void prefetch(const uint8_t* head_page, int64_t begin, int64_t end) {
  for (int64_t i = begin & ~63; i < end; i += 64) __builtin_prefetch(head_page + i, 0, 2);
}

// The keys that are read `ahead` pages after page `page` of the tile: those of a later page of its own, of its next KV
// head, or of the next sequence. Null where nothing is known.
KV_INLINE const uint8_t* keys_after(const Attention& op, const Tile& tile, int page, int ahead) {
  int sequence = tile.sequence, head = tile.kv_head, position = tile.position;
  int past = page + ahead - ((position + tile.tokens - 1) / kPageTokens + 1);
  if (past < 0) return head_page_of(op, sequence, page + ahead, head);
  if (++head == op.kv.kv_heads) {
    if (++sequence == op.sequences.count) return nullptr;
    head = 0;
    position = op.sequences.position[sequence];
  }
  past += first_visible(op, position) / kPageTokens;
  return past <= position / kPageTokens ? head_page_of(op, sequence, past, head) : nullptr;
}

// `count` pages from `page_position` on, for at most kMaxRows / count rows: slot p·rows + r has what belongs to row r
// and page p. The values of a page arrive while its keys are read, the keys of later pages while values are.
static void attend_few(const Attention& op, const Tile& tile, int page_position, int count, Buffers& at) {
  const KvCache& kv = op.kv;
  const int rows = tile.tokens * tile.heads, padded = padded_dim(op), dim = kv.head_dim;
  const int64_t key_bytes = kPageTokens * kv.row_bytes();
  uint8_t* page[kSplitPages];
  for (int p = 0; p < count; ++p) {
    const int position = page_position + p * kPageTokens;
    page[p] = head_page_of(op, tile.sequence, position / kPageTokens, tile.kv_head);
    prefetch(page[p], key_bytes, kv.head_page_bytes());
    const Sight sight(op, tile, position);
    by_rows<kScoreRows>(sight.first_row(), sight.last_row(), [&](auto some, int r) KV_LAMBDA {
      score_s8<some()>(at.q8() + r * dim, at.q_start + r, kv.keys(page[p]), dim,
                       at.scores + (p * rows + r) * kPageTokens);
    });
  }
  // Calls some(row, slot, begin, end, scales of the values, scales of the keys) for every row of every page it sees.
  const auto over_rows = [&](auto some) KV_LAMBDA {
    for (int p = 0; p < count; ++p) {
      const Sight sight(op, tile, page_position + p * kPageTokens);
      for (int token = sight.from; token < sight.to; ++token) {
        const int begin = sight.begin(token), end = sight.end(token);
        const ValueScales scales = value_scales_of(kv.value_scales(page[p]), begin, end);
        for (int r = token * tile.heads; r < (token + 1) * tile.heads; ++r)
          some(r, p * rows + r, begin, end, scales, kv.key_scales(page[p]));
      }
    }
  };
  over_rows([&](int r, int slot, int begin, int end, const ValueScales& scales, const float* key_scales) KV_LAMBDA {
    const f32x16 by = set1(at.q_scale[r]);
    const float top = mask_scores(at.scores + slot * kPageTokens, mul(by, load(key_scales)),
                                  mul(by, load(key_scales + kLanes)), begin, end);
    at.top[slot] = top;
    at.weight_step[slot] = scales.step;
    at.before[slot] = at.max[r];
    at.max[r] = top > at.max[r] ? top : at.max[r];
  });
  for (int slot = 0; slot < count * rows; slot += kLanes) {
    soften(at.before + slot, at.top + slot, at.past + slot);
    weight_steps(at.weight_step + slot, at.top + slot);
  }
  over_rows([&](int r, int slot, int, int, const ValueScales& scales, const float*) KV_LAMBDA {
    const Weights weights =
        weigh_scores(at.scores + slot * kPageTokens, at.before[slot], at.past[slot], at.sums + r * kLanes);
    quantize_weights(weights, scales, at.top[slot], at.weights + slot * kPageTokens);
  });
  for (int p = 0; p < count; ++p) {
    const int position = page_position + p * kPageTokens;
    const uint8_t* later = keys_after(op, tile, position / kPageTokens, count);
    if (later) prefetch(later, 0, key_bytes);
    const Sight sight(op, tile, position);
    if (sight.from == sight.to) continue;
    weigh_bytes(kv, page[p], padded, sight.first_row(), sight.last_row(), sight.end(sight.to - 1), p * rows, at);
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
