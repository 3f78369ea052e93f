// The words of a step, as lib/engine/step.ts writes them. All are i32.
//
//   [0] program   [1] T tokens   [2] S sequences   [3] L rows   [4] B block entries   [5] C page copies
//   tokens  T        id, or −1 − slot for the id last sampled in that slot
//   seqs    S × 4    slot, tokens in this step, position of the first, blocks
//   blocks  B        pages of the sequences, one after another
//   rows    L × 3    index into the T tokens, slot, target id to score or −1 to sample
//   copies  C × 2    page from, page to; done before anything else
//
// The result:
//   per row          id, logprob (f32 bits), flags, n, then n × (id, logprob bits)
//                    flags 1: stop token; 2: complete, nothing may follow; 4: nothing continues it, the id is void
//   per sequence of a pooling program, after the rows: `dim` f32 bits of the pooled vector (sum for mean pooling)
#pragma once

#include <cstdint>
#include <vector>

#include "native/ops/sample.h"

namespace kvasir {

constexpr int kStepHeader = 6;
constexpr int32_t kFlagStop = 1;
constexpr int32_t kFlagEnded = 2;
constexpr int32_t kFlagStuck = 4;

// What a step may not exceed: anything beyond would reach memory that is not ours.
struct StepLimits {
  int32_t tokens;
  int32_t sequences;
  int32_t rows;
  int32_t blocks;
  int32_t slots;
  int32_t pages;
  int32_t vocab;  // ids are below
};

// A step in the form that kernels read. Its vectors keep their memory from step to step.
struct StepBuffers {
  int32_t tokens = 0;
  int32_t rows = 0;
  std::vector<int32_t> token_ids, of_token;
  std::vector<int32_t> start, position, block_start, blocks, seq_slot;
  std::vector<int32_t> row_index, row_slot, row_position, row_target;
  std::vector<int32_t> copies;
  std::vector<SampleResult> results;

  StepSequences sequences() const {
    return {static_cast<int32_t>(position.size()),
            start.data(),
            position.data(),
            block_start.data(),
            blocks.data(),
            of_token.data()};
  }
};

// Fills `step` from `words`. Throws KV_NATIVE, with what was found and the limit, when a word is out of range.
void parse_step(const std::vector<int32_t>& words, const StepLimits& limits, StepBuffers& step);

// Appends the words of one row's result.
void append_row(const SampleResult& result, std::vector<int32_t>& words);

}  // namespace kvasir
