// What a tile of attention is, and what its passes hand to one another.
#pragma once

#include "native/cpu/attention_page.h"
#include "native/ops/attention.h"

namespace kvasir::cpu::KVASIR_ISA {

constexpr int kMaxRows = 32;
constexpr int kFewRows = 16;  // and no more
constexpr int kPagesAhead = 2;
constexpr int kSplitPages = kSplitTokens / kPageTokens;

struct Tile {
  int sequence;
  int token;     // the first, among the packed tokens
  int tokens;    // rows = tokens × heads, a token's heads together
  int position;  // of the first token
  int head;      // the first query head
  int heads;
  int kv_head;
  bool streams;  // its pages come from memory: no other tile of the step reads them, or only much later
};

// A number as a type: the count of rows that a kernel is compiled for.
template <int n>
struct Count {
  constexpr int operator()() const { return n; }
};

struct Buffers {
  alignas(64) float q[kMaxRows * kMaxHeadDim];  // or s8
  alignas(64) int8_t lane_q[kMaxRows * kMaxHeadDim];
  alignas(64) float q_scale[kMaxRows];
  int32_t q_start[kMaxRows];
  alignas(64) float keys[kMaxHeadDim * kPageTokens];  // transposed
  alignas(64) float values[kPageTokens * kMaxHeadDim];
  alignas(64) float scores[kMaxRows * kPageTokens];  // or weights
  alignas(64) int16_t weights[kMaxRows * kPageTokens];
  alignas(64) float max[kMaxRows];  // the largest score so far
  alignas(64) float top[kMaxRows];  // of a page
  alignas(64) float weight_step[kMaxRows];
  alignas(64) float past[kMaxRows];
  alignas(64) float acc[kMaxRows * kMaxHeadDim];
  alignas(64) float total_acc[kMaxRows * kMaxHeadDim];
  alignas(64) float sums[kMaxRows * kLanes];  // of weights, in sixteen parts
  bool lanes;                                 // a row a lane: see attention_lanes.h
  Running running[kMaxRows];
  Running total[kMaxRows];

  int8_t* q8() { return reinterpret_cast<int8_t*>(q); }
};

KV_INLINE int padded_dim(const Attention& op) { return (op.kv.head_dim + kLanes - 1) / kLanes * kLanes; }
KV_INLINE int first_visible(const Attention& op, int position) {
  return op.window > 0 && position >= op.window ? position - op.window + 1 : 0;
}

// What the tokens of a tile see of the page at `page_position`.
struct Sight {
  const Attention& op;
  const Tile& tile;
  int page_position;
  int from = 0, to = 0;  // the tokens that see some of it

  KV_INLINE_MEMBER Sight(const Attention& attention, const Tile& whose, int page)
      : op(attention), tile(whose), page_position(page), to(whose.tokens) {
    while (from < to && begin(from) >= end(from)) ++from;
    while (to > from && begin(to - 1) >= end(to - 1)) --to;
  }
  // Tokens of the page, begin ≤ … < end.
  KV_INLINE_MEMBER int begin(int token) const {
    const int first = first_visible(op, tile.position + token) - page_position;
    return first > 0 ? first : 0;
  }
  KV_INLINE_MEMBER int end(int token) const {
    const int past = tile.position + token + 1 - page_position;
    return past < kPageTokens ? past : kPageTokens;
  }
  KV_INLINE_MEMBER bool everything() const { return begin(tile.tokens - 1) == 0 && end(0) == kPageTokens; }
  KV_INLINE_MEMBER int first_row() const { return from * tile.heads; }
  KV_INLINE_MEMBER int last_row() const { return to * tile.heads; }
};

KV_INLINE uint8_t* head_page_of(const Attention& op, const Tile& tile, int page_position) {
  const StepSequences& step = op.sequences;
  const int page = step.blocks[step.block_start[tile.sequence] + page_position / kPageTokens];
  return op.kv.head_page(op.layer, page, tile.kv_head);
}

}  // namespace kvasir::cpu::KVASIR_ISA
