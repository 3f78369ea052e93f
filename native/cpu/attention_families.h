// Sequences of a step that begin with the same pages: their rows go through those pages together, whole splits of them,
// so that a page is read once for all. Each split is merged into a row's total in ascending order as ever, and so the
// bits are those of a sequence alone.
#pragma once

#include "native/cpu/attention_state.h"

namespace kvasir::cpu::KVASIR_ISA {

// Neighbours in the step with one token each. The first of a family leads it.
struct Families {
  static constexpr int kMost = 4096;  // sequences; beyond, nobody shares

  bool any = false;
  int32_t members[kMost];  // of the family that a sequence leads, else 1
  int32_t splits[kMost];   // that are shared, also for those who do not lead
};

// Whole splits before the sequence's token, all of which it sees; 0 where it may not share.
static int whole_splits(const Attention& op, int sequence) {
  const StepSequences& step = op.sequences;
  if (step.start[sequence + 1] - step.start[sequence] != 1) return 0;
  const int position = step.position[sequence];
  return op.window > 0 && position + kMaxRows >= op.window ? 0 : position / kSplitTokens;
}

static int common_splits(const Attention& op, int a, int b, int most) {
  const StepSequences& step = op.sequences;
  const int32_t *left = step.blocks + step.block_start[a], *right = step.blocks + step.block_start[b];
  int split = 0;
  while (split < most &&
         __builtin_memcmp(left + split * kSplitPages, right + split * kSplitPages, kSplitPages * sizeof(int32_t)) == 0)
    ++split;
  return split;
}

// Families of at most `most` sequences. One that has much less in common with the leader begins a family of its own.
static void find_families(const Attention& op, int most, Families& families) {
  families.any = false;
  const int count = op.sequences.count;
  if (count > Families::kMost) return;
  for (int leader = 0, after; leader < count; leader = after) {
    int common = whole_splits(op, leader);
    after = leader + 1;
    for (; common > 0 && after < count && after - leader < most; ++after) {
      const int whole = whole_splits(op, after);
      const int shared = common_splits(op, leader, after, whole < common ? whole : common);
      if (shared == 0 || (after - leader > 1 && 2 * shared < common)) break;
      common = shared;
    }
    if (after - leader == 1) common = 0;
    families.any |= common > 0;
    for (int s = leader; s < after; ++s) families.members[s] = 1, families.splits[s] = common;
    families.members[leader] = after - leader;
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
