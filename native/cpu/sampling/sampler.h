// The part of sampling that is the same for every instruction set: built once, for the baseline, because it works on
// containers. The scans over a vocabulary are in native/cpu/sample.cc, built per set and handed in.
#pragma once

#include <functional>

#include "native/base/worker.h"
#include "native/ops/sample.h"

namespace kvasir::cpu {

// Over x[0…n). A NaN counts as −∞.
struct SampleScans {
  int64_t (*argmax)(const float* x, int64_t n);                                   // the smallest index of the maximum
  float (*sum_exp)(const float* x, int64_t n, float max, float by);               // Σ e^((x − max)·by)
  void (*exps)(const float* x, int64_t n, float max, float by, float* y);         // y = e^((x − max)·by)
  int64_t (*at_least)(const float* x, int64_t n, float least, int32_t* indices);  // ascending indices of x ≥ least
};

void sample_rows(const Sample& op, const Worker& worker, const SampleScans& scans);
void pool_sequences(const Pool& op, const Worker& worker);

// A logit that is still in the running, and its e^((logit − max) / temperature).
struct Candidate {
  float logit;
  int32_t id;
  float weight;
};

// Scratch of one thread, kept from step to step.
struct SamplerBuffers {
  std::vector<int32_t> ids;
  std::vector<float> values;
  std::vector<float> weights;
  std::vector<Candidate> candidates;
  std::vector<std::pair<int32_t, float>> raw;  // logits as the model gave them, where bias and penalties changed them
};

// logits ← with logit bias, then the repetition, frequency and presence penalties.
void adjust_logits(const SequenceSlot& slot, float* logits, int64_t vocab, SamplerBuffers& buffers);

// Chooses among the tokens that the slot's grammar lets follow, and moves it past the one chosen: sets id, ended and stuck.
// The logits of all others are lost.
void choose_matching(SequenceSlot& slot, float* logits, int64_t vocab, const std::function<int32_t()>& choose,
                     SampleResult& result);

// The id that `uniform` in [0, 1) picks after temperature, top-k, top-p and min-p, in this order. `best` is argmax.
int32_t draw(const SamplerParams& params, const float* logits, int64_t vocab, int64_t best, double uniform,
             const SampleScans& scans, SamplerBuffers& buffers);

// Σ e^((x − max)·by) over a vocabulary, block by block in ascending order.
double total_weight(const float* logits, int64_t vocab, float max, float by, const SampleScans& scans);

constexpr int64_t kSampleBlock = 1024;

}  // namespace kvasir::cpu
