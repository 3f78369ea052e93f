// One row from logits to a result: score or choose, then remember. The order is that of the field: logit bias, the
// repetition penalty, frequency and presence, then temperature, top-k, top-p, min-p. Log-probabilities are those of the
// model's own distribution, before all of it.
#include "native/cpu/sampling/sampler.h"

#include <algorithm>
#include <cmath>

#include "native/cpu/sampling/philox.h"

namespace kvasir::cpu {
namespace {

// Below this a temperature only adds rounding to the choice of the maximum.
constexpr float kGreedyTemperature = 1e-5f;

bool has_penalty(const SamplerParams& params) {
  return params.repetition_penalty != 1 || params.frequency_penalty != 0 || params.presence_penalty != 0;
}

// The n best by the model's own logits, best first.
void top_logprobs(const float* logits, int64_t vocab, float max, double log_sum, const SampleScans& scans,
                  SamplerBuffers& buffers, int n, SampleResult& result) {
  n = static_cast<int>(std::min<int64_t>({n, kMaxTopLogprobs, vocab}));
  buffers.ids.resize(vocab);
  int64_t count = 0;
  for (float reach = 8; count < n; reach *= 2) {
    const bool all = reach > 1e4f;
    count = scans.at_least(logits, vocab, all ? -INFINITY : max - reach, buffers.ids.data());
    if (all) break;
  }
  n = static_cast<int>(std::min<int64_t>(n, count));
  const auto better = [&](int32_t a, int32_t b) { return logits[a] > logits[b] || (logits[a] == logits[b] && a < b); };
  std::partial_sort(buffers.ids.begin(), buffers.ids.begin() + n, buffers.ids.begin() + count, better);
  result.top_count = n;
  for (int i = 0; i < n; ++i) {
    result.top_id[i] = buffers.ids[i];
    result.top_logprob[i] = static_cast<float>(logits[buffers.ids[i]] - log_sum);
  }
}

void count_token(SequenceSlot& slot, int32_t id) {
  const auto at = std::lower_bound(slot.counts.begin(), slot.counts.end(), std::pair<int32_t, int32_t>{id, 0});
  if (at != slot.counts.end() && at->first == id)
    ++at->second;
  else
    slot.counts.insert(at, {id, 1});
}

void sample_row(const Sample& op, int64_t row, const SampleScans& scans, SamplerBuffers& buffers) {
  float* logits = op.logits.f32(row);
  const int64_t vocab = op.logits.dim;
  SequenceSlot& slot = op.slots[op.slot[row]];
  const SamplerParams& params = slot.params;
  const int32_t target = op.target[row];
  SampleResult result;

  const bool wants_logprob = target >= 0 || params.top_logprobs >= 0;
  double log_sum = 0;
  if (wants_logprob) {
    const float max = logits[scans.argmax(logits, vocab)];
    log_sum = max + std::log(total_weight(logits, vocab, max, 1, scans));
    if (params.top_logprobs > 0) top_logprobs(logits, vocab, max, log_sum, scans, buffers, params.top_logprobs, result);
  }

  buffers.raw.clear();
  if (target >= 0) {
    result.id = target;
  } else {
    adjust_logits(slot, logits, vocab, buffers);
    const auto choose = [&] {
      const int64_t best = scans.argmax(logits, vocab);
      if (params.temperature < kGreedyTemperature || !std::isfinite(logits[best])) return static_cast<int32_t>(best);
      return draw(params, logits, vocab, best, uniform_at(params.seed, op.position[row]), scans, buffers);
    };
    if (slot.matcher)
      choose_matching(slot, logits, vocab, choose, result);
    else
      result.id = choose();
    op.last_sampled[op.slot[row]] = result.id;
    if (has_penalty(params)) count_token(slot, result.id);
  }

  if (wants_logprob && result.id < vocab) {
    const auto changed = std::find_if(buffers.raw.begin(), buffers.raw.end(),
                                      [&](const auto& entry) { return entry.first == result.id; });
    const float logit = changed != buffers.raw.end() ? changed->second : logits[result.id];
    result.logprob = static_cast<float>(logit - log_sum);
  }
  const std::vector<int32_t>& stops = params.stop_tokens;
  result.stop |= !result.stuck && std::find(stops.begin(), stops.end(), result.id) != stops.end();
  op.results[row] = result;
}

}  // namespace

void adjust_logits(const SequenceSlot& slot, float* logits, int64_t vocab, SamplerBuffers& buffers) {
  const SamplerParams& params = slot.params;
  // The first entry for an id holds what the model gave.
  const auto touch = [&](int32_t id) -> float& {
    buffers.raw.emplace_back(id, logits[id]);
    return logits[id];
  };
  const auto inside = [&](int32_t id) { return id >= 0 && id < vocab; };
  for (const auto& [id, bias] : params.logit_bias)
    if (inside(id)) touch(id) += bias;
  if (!has_penalty(params)) return;

  const auto repeated = [&](int32_t id) {
    float& logit = touch(id);
    logit = logit > 0 ? logit / params.repetition_penalty : logit * params.repetition_penalty;
  };
  if (params.repetition_penalty != 1) {
    const auto generated = [&](int32_t id) {
      const auto at = std::lower_bound(slot.counts.begin(), slot.counts.end(), std::pair<int32_t, int32_t>{id, 0});
      return at != slot.counts.end() && at->first == id;
    };
    for (const int32_t id : slot.prompt)
      if (inside(id) && !generated(id)) repeated(id);
    for (const auto& [id, count] : slot.counts)
      if (inside(id)) repeated(id);
  }
  if (params.frequency_penalty != 0 || params.presence_penalty != 0) {
    for (const auto& [id, count] : slot.counts)
      if (inside(id)) touch(id) -= params.frequency_penalty * static_cast<float>(count) + params.presence_penalty;
  }
}

void sample_rows(const Sample& op, const Worker& worker, const SampleScans& scans) {
  thread_local SamplerBuffers buffers;
  for (int64_t row = worker.next(); row < op.logits.rows; row = worker.next()) sample_row(op, row, scans, buffers);
}

}  // namespace kvasir::cpu
