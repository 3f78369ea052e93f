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

}  // namespace kvasir::cpu::KVASIR_ISA
