// The bytes of a step, as lib/engine/step.ts writes them and native/executor/step.cc reads them. All words are i32.
//
//   [0] program   [1] T tokens   [2] S sequences   [3] L rows   [4] B block entries   [5] C page copies
//   tokens  T        id, or −1 − slot for the id last sampled in that slot
//   seqs    S × 4    slot, tokens in this step, position of the first, blocks
//   blocks  B        pages of the sequences, one after another
//   rows    L × 3    index into the T tokens, slot, target id to score or −1 to sample
//   copies  C × 2    page from, page to; done before anything else
//
// The result:
//   per row          id, logprob (f32 bits), flags (1: stop token), n, then n × (id, logprob bits)
//   per sequence of a pooling program, after the rows: `dim` f32 bits of the pooled vector (sum for mean pooling)
#pragma once

#include <cstdint>
#include <vector>

namespace kvasir {

constexpr int kStepHeader = 6;
constexpr int32_t kFlagStop = 1;

}  // namespace kvasir
