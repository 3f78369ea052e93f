// sample: a row of logits to a block. The order is that of native/cpu/sampling/sampler.cc: logit bias, repetition penalty,
// frequency and presence, temperature, top-k, top-p, min-p. And pool.
#include "native/cuda/kernels.h"
#include "native/cuda/philox.h"
#include "native/cuda/sample_row.h"

namespace kvasir::cuda {
namespace {

// Below this a temperature only adds rounding to the choice of the maximum.
constexpr float kGreedyTemperature = 1e-5f;
constexpr Entry kNoEntry = ~Entry{0};

// The logits with bias already added; penalties are applied as they are read, and what may not come is −∞.
struct Adjusted {
  const float* logits;
  const SamplerSlot& slot;
  bool penalties;
  const uint32_t* mask;  // null: every token may come

  __device__ __forceinline__ bool may_come(int i) const { return !mask || mask[1 + i / 32] >> i % 32 & 1; }
  __device__ __forceinline__ float operator()(int i) const {
    if (!may_come(i)) return -INFINITY;
    float logit = logits[i];
    if (!penalties) return logit;
    const uint32_t count = slot.counts[i], generated = count & (kInPrompt - 1u);
    if (!count) return logit;
    if (slot.repetition_penalty != 1.0f)
      logit = logit > 0.0f ? logit / slot.repetition_penalty : logit * slot.repetition_penalty;
    if (generated && (slot.frequency_penalty != 0.0f || slot.presence_penalty != 0.0f))
      logit -= slot.frequency_penalty * static_cast<float>(generated) + slot.presence_penalty;
    return logit;
  }
};

template <typename Logit>
__device__ __forceinline__ int draw(Logit logit, const SamplerSlot& slot, int vocab, Entry best, int position) {
  const float most = logit(id_of(best)), by = 1.0f / slot.temperature;
  const auto mass = [&](int i) { return mass_of(logit(i), most, by); };
  Entry least = 0;
  const auto kept = [&](int i) { return entry_of(logit(i), i) >= least ? mass(i) : Mass{0}; };
  if (slot.top_k > 0 && slot.top_k < vocab)
    least = threshold(
        logit, [](int) { return Mass{1}; }, vocab, static_cast<Mass>(slot.top_k));
  if (slot.top_p < 1.0f) {
    const double target = ceil(slot.top_p * static_cast<double>(total_mass(kept, vocab)));
    least = threshold(logit, kept, vocab, target < 1.0 ? Mass{1} : static_cast<Mass>(target));
  }
  const auto stays = [&](int i) {
    const bool in_reach = slot.min_p <= 0.0f || i == id_of(best) || exp_of((logit(i) - most) * by) >= slot.min_p;
    return in_reach ? kept(i) : Mass{0};
  };
  const double all = static_cast<double>(total_mass(stays, vocab));
  return walk(stays, vocab, static_cast<Mass>(uniform_at(slot.seed, position) * all));
}

// log Σ e^logit.
__device__ __forceinline__ double log_sum_of(const float* logits, int vocab, float most) {
  const Mass sum = total_mass(
      [&](int i) {
        const float logit = logits[i];
        return logit == logit ? mass_of(logit, most, 1.0f) : Mass{0};
      },
      vocab);
  return most + log(static_cast<double>(sum) / static_cast<double>(kMassUnit));
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kSampleThreads, 1) sample(const __grid_constant__ DeviceSample op) {
  const int row = static_cast<int>(blockIdx.x), vocab = op.logits.dim, target = op.target[row];
  float* logits = op.logits.f32(row);
  const SamplerSlot& slot = op.slots[op.slot[row]];
  SampleResult& result = op.results[row];
  const bool leads = threadIdx.x == 0;
  const auto raw = [&](int i) { return logits[i]; };

  const bool wants_logprob = target >= 0 || slot.top_logprobs >= 0;
  double log_sum = 0;
  int top = 0;
  if (wants_logprob) {
    const Entry best = best_entry(raw, vocab, kNoEntry);
    log_sum = log_sum_of(logits, vocab, logits[id_of(best)]);
    Entry entry = kNoEntry;
    for (; top < slot.top_logprobs && top < kMaxTopLogprobs && top < vocab; ++top) {
      entry = best_entry(raw, vocab, entry);
      if (!leads) continue;
      result.top_id[top] = id_of(entry);
      result.top_logprob[top] = static_cast<float>(logits[id_of(entry)] - log_sum);
    }
  }

  int id = target;
  if (target < 0) {
    __syncthreads();  // the raw logits are read
    for (int i = static_cast<int>(threadIdx.x); i < slot.biases; i += kSampleThreads) {
      float& logit = logits[slot.bias_id[i]];
      slot.bias_room[i] = logit;
      logit += slot.bias[i];
    }
    __syncthreads();
    const bool penalties =
        slot.repetition_penalty != 1.0f || slot.frequency_penalty != 0.0f || slot.presence_penalty != 0.0f;
    const int mask = op.mask[row];
    const Adjusted adjusted{logits, slot, penalties,
                            mask < 0 ? nullptr : op.masks + static_cast<size_t>(mask) * op.mask_words};
    const Entry best = best_entry(adjusted, vocab, kNoEntry);
    id = id_of(best);
    if (slot.temperature >= kGreedyTemperature && isfinite(adjusted(id)))
      id = draw(adjusted, slot, vocab, best, op.position[row]);
    // Chosen outside of it only where no logit in it is a number.
    if (!adjusted.may_come(id)) id = max(static_cast<int>(adjusted.mask[0]), 0);
    __syncthreads();  // the counts are read
    if (leads) {
      op.last_sampled[op.slot[row]] = id;
      if (penalties && (slot.counts[id] & (kInPrompt - 1u)) < kInPrompt - 1u) ++slot.counts[id];
    }
  }
  if (!leads) return;
  result.id = id;
  result.top_count = top;
  result.logprob = 0.0f;
  if (wants_logprob && id < vocab) {
    float logit = logits[id];
    for (int i = 0; target < 0 && i < slot.biases; ++i)
      if (slot.bias_id[i] == id) logit = slot.bias_room[i];
    result.logprob = static_cast<float>(logit - log_sum);
  }
  result.stop = result.ended = result.stuck = false;  // the last two are the host's to say
  for (int i = 0; i < slot.stops; ++i) result.stop |= slot.stop_id[i] == id;
}

// pool: a sequence and 128 columns to a block, tokens in ascending position.
extern "C" __global__ void __launch_bounds__(kRowThreads) pool(const __grid_constant__ DevicePool op) {
  const int s = static_cast<int>(blockIdx.x), column = static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x);
  if (column >= op.x.dim) return;
  const int begin = op.sequences.start[s], end = op.sequences.start[s + 1];
  float& pooled = op.pooled[int64_t{op.slot[s]} * op.x.dim + column];
  float sum = op.sequences.position[s] == 0 ? 0.0f : pooled;
  for (int t = op.mean ? begin : max(begin, end - 1); t < end; ++t)
    sum = op.mean ? sum + op.x.f32(t)[column] : op.x.f32(t)[column];
  pooled = sum;
}

}  // namespace kvasir::cuda
