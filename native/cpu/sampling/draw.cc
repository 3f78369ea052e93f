// From adjusted logits to an id. The filters need the best few of a vocabulary: one scan gathers what lies within reach
// of the maximum, and the reach doubles until the gathered are enough. Nothing sorts the vocabulary, and what is kept
// is walked in ascending id, so the id drawn does not depend on how the selection went about it.
#include <algorithm>
#include <cmath>

#include "native/cpu/sampling/sampler.h"

namespace kvasir::cpu {
namespace {

// The order of preference. A lambda, so that the algorithms inline it.
constexpr auto before = [](const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
};

void gather(const float* logits, int64_t vocab, float max, float by, float least, const SampleScans& scans,
            SamplerBuffers& buffers) {
  buffers.ids.resize(vocab);
  const int64_t count = scans.at_least(logits, vocab, least, buffers.ids.data());
  buffers.ids.resize(count);
  buffers.values.resize(count);
  buffers.weights.resize(count);
  for (int64_t i = 0; i < count; ++i) buffers.values[i] = logits[buffers.ids[i]];
  scans.exps(buffers.values.data(), count, max, by, buffers.weights.data());
  buffers.candidates.resize(count);
  for (int64_t i = 0; i < count; ++i) buffers.candidates[i] = {buffers.values[i], buffers.ids[i], buffers.weights[i]};
}

double mass(const std::vector<Candidate>& candidates, size_t begin, size_t end) {
  double sum = 0;
  for (size_t i = begin; i < end; ++i) sum += candidates[i].weight;
  return sum;
}

// How many of the best candidates it takes to reach `target`; the candidates are reordered so that they come first.
// Halves by selection, so the cost is linear.
size_t nucleus(std::vector<Candidate>& candidates, double target) {
  size_t low = 0, high = candidates.size();
  double sum = 0;
  while (high - low > 64) {
    const size_t middle = low + (high - low) / 2;
    std::nth_element(candidates.begin() + low, candidates.begin() + middle, candidates.begin() + high, before);
    const double half = mass(candidates, low, middle);
    if (sum + half >= target) {
      high = middle;
    } else {
      sum += half;
      low = middle;
    }
  }
  std::sort(candidates.begin() + low, candidates.begin() + high, before);
  while (low < high && sum < target) sum += candidates[low++].weight;
  return std::max<size_t>(low, 1);
}

int32_t walk(const std::vector<Candidate>& candidates, double uniform) {
  const double target = uniform * mass(candidates, 0, candidates.size());
  double sum = 0;
  for (const Candidate& candidate : candidates) {
    sum += candidate.weight;
    if (sum > target) return candidate.id;
  }
  return candidates.back().id;
}

int32_t draw_from_all(const float* logits, int64_t vocab, float max, float by, int64_t best, double uniform,
                      const SampleScans& scans, SamplerBuffers& buffers) {
  const double target = uniform * total_weight(logits, vocab, max, by, scans);
  double sum = 0;
  for (int64_t begin = 0; begin < vocab; begin += kSampleBlock) {
    const int64_t n = std::min(kSampleBlock, vocab - begin);
    const double after = sum + scans.sum_exp(logits + begin, n, max, by);
    if (after > target) {
      buffers.weights.resize(kSampleBlock);
      scans.exps(logits + begin, n, max, by, buffers.weights.data());
      int64_t last = -1;
      for (int64_t i = 0; i < n; ++i) {
        if (buffers.weights[i] == 0) continue;
        last = begin + i;
        sum += buffers.weights[i];
        if (sum > target) break;
      }
      return static_cast<int32_t>(last);  // the last with any weight when rounding left the sum short
    }
    sum = after;
  }
  return static_cast<int32_t>(best);
}

}  // namespace

double total_weight(const float* logits, int64_t vocab, float max, float by, const SampleScans& scans) {
  double sum = 0;
  for (int64_t begin = 0; begin < vocab; begin += kSampleBlock)
    sum += scans.sum_exp(logits + begin, std::min(kSampleBlock, vocab - begin), max, by);
  return sum;
}

int32_t draw(const SamplerParams& params, const float* logits, int64_t vocab, int64_t best, double uniform,
             const SampleScans& scans, SamplerBuffers& buffers) {
  const float max = logits[best], by = 1.0f / params.temperature;
  const int64_t top_k = params.top_k > 0 && params.top_k < vocab ? params.top_k : 0;
  const bool by_mass = params.top_p<1, by_peak = params.min_p> 0;
  if (!top_k && !by_mass && !by_peak) return draw_from_all(logits, vocab, max, by, best, uniform, scans, buffers);

  // Without top-k the nucleus is measured against all; with it, against what top-k keeps.
  const double everything = by_mass && !top_k ? total_weight(logits, vocab, max, by, scans) : 0;
  const float peak_reach = by_peak ? -std::log(std::min(params.min_p, 1.0f)) * params.temperature * 1.001f : INFINITY;
  float reach = 4 * params.temperature;
  while (true) {
    gather(logits, vocab, max, by, reach < 200 * params.temperature ? max - reach : -INFINITY, scans, buffers);
    const bool all = reach >= 200 * params.temperature;
    const bool enough_count = top_k && static_cast<int64_t>(buffers.candidates.size()) >= top_k;
    const bool enough_mass =
        by_mass && !top_k && mass(buffers.candidates, 0, buffers.candidates.size()) >= params.top_p * everything;
    const bool enough_peak = reach >= peak_reach && !(top_k && by_mass);
    if (all || enough_count || enough_mass || enough_peak) break;
    reach *= 2;
  }

  std::vector<Candidate>& kept = buffers.candidates;
  if (top_k && static_cast<int64_t>(kept.size()) > top_k) {
    std::nth_element(kept.begin(), kept.begin() + top_k, kept.end(), before);
    kept.resize(top_k);
  }
  if (by_mass) kept.resize(nucleus(kept, params.top_p * (top_k ? mass(kept, 0, kept.size()) : everything)));
  if (by_peak) std::erase_if(kept, [&](const Candidate& c) { return c.weight < params.min_p && c.id != best; });
  if (kept.empty()) return static_cast<int32_t>(best);
  // In ascending id again: those of all gathered that do not come after the last of the kept.
  const Candidate last = *std::max_element(kept.begin(), kept.end(), before);
  size_t n = 0;
  for (size_t i = 0; i < buffers.ids.size() && n < kept.size(); ++i) {
    const Candidate one = {buffers.values[i], buffers.ids[i], buffers.weights[i]};
    if (!before(last, one)) kept[n++] = one;
  }
  return walk(kept, uniform);
}

}  // namespace kvasir::cpu
