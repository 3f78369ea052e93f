// From logits to a token, on the device; and pooling for embeddings.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "native/ops/attention.h"
#include "native/ops/rows.h"
#include "native/ops/sample_result.h"

namespace kvasir {
namespace grammar {
class Grammar;  // native/grammar/grammar.h
class Matcher;  // native/grammar/matcher.h
}  // namespace grammar

// How a sequence chooses its tokens; field names as in the API.
struct SamplerParams {
  float temperature = 0;  // 0: greedy
  int32_t top_k = 0;      // 0: off
  float top_p = 1;
  float min_p = 0;
  float repetition_penalty = 1;  // over prompt and output (CTRL, arXiv 1909.05858)
  float frequency_penalty = 0;   // over output, as OpenAI defines it
  float presence_penalty = 0;
  uint64_t seed = 0;
  int32_t top_logprobs = -1;  // −1: none, 0: the chosen one's, n: and the n best
  std::vector<std::pair<int32_t, float>> logit_bias;
  std::vector<int32_t> stop_tokens;
  std::shared_ptr<grammar::Grammar> grammar;  // of an answer in a format …
  int32_t grammar_budget = 0;                 // … and how many tokens it may have
};

// What the device remembers of a sequence between steps.
struct SequenceSlot {
  SamplerParams params;
  std::vector<std::pair<int32_t, int32_t>> counts;  // token → times generated, sorted by token
  std::vector<int32_t> prompt;                      // distinct prompt tokens, sorted; kept only under a penalty
  std::vector<float> pooled;                        // running sum for mean pooling
  std::shared_ptr<grammar::Matcher> matcher;        // of an answer in a format; null for free text
};

// sample: one result per row. A row whose target ≥ 0 is scored, not sampled: its id is the target. The draw for a row
// is a function of (seed, position) alone, and equal logits are settled by the smaller id. Under a grammar the tokens that
// may not come are out of the running after bias and penalties and before temperature and filters; stop tokens are in it
// where the answer may end.
struct Sample {
  Rows logits;                        // [L, vocab] f32, may be overwritten
  const int32_t* slot = nullptr;      // [L]
  const int32_t* position = nullptr;  // [L] position of the row's token in its sequence
  const int32_t* target = nullptr;    // [L] −1: sample
  SequenceSlot* slots = nullptr;
  int32_t* last_sampled = nullptr;  // [slots], written for sampled rows
  SampleResult* results = nullptr;  // [L]
};

// pool: keeps in slots[slot].pooled what becomes the embedding of the sequence: the sum of x over its tokens so far
// in ascending position (mean) or x of its last token (last). Position 0 starts anew.
struct Pool {
  StepSequences sequences;
  const int32_t* slot = nullptr;  // [S]
  Rows x;                         // [T, dim] f32
  bool mean = true;
  SequenceSlot* slots = nullptr;
};

}  // namespace kvasir
