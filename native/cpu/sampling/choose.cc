// Sampling under a grammar: all tokens but those that may follow leave the running, then the choice is as ever.
#include <algorithm>
#include <cmath>
#include <exception>

#include "native/cpu/sampling/sampler.h"
#include "native/grammar/matcher.h"

namespace kvasir::cpu {
namespace {

using grammar::Bits;

// logits ← −∞ where `allowed` has no bit.
void mask_logits(const Bits& allowed, float* logits, int64_t vocab) {
  for (int64_t begin = 0; begin < vocab; begin += 32) {
    const uint32_t bits = allowed[begin >> 5];
    const int64_t end = std::min<int64_t>(begin + 32, vocab);
    if (bits == 0)
      std::fill(logits + begin, logits + end, -INFINITY);
    else if (bits != ~0u)
      for (int64_t i = begin; i < end; ++i) logits[i] = bits >> (i - begin) & 1 ? logits[i] : -INFINITY;
  }
}

int32_t first_of(const Bits& bits) {
  for (size_t w = 0; w < bits.size(); ++w)
    if (bits[w]) return static_cast<int32_t>(w * 32 + __builtin_ctz(bits[w]));
  return -1;
}

}  // namespace

void choose_matching(SequenceSlot& slot, float* logits, int64_t vocab, const std::function<int32_t()>& choose,
                     SampleResult& result) {
  grammar::Matcher& matcher = *slot.matcher;
  const std::vector<int32_t>& stops = slot.params.stop_tokens;
  const auto is_stop = [&](int32_t id) { return std::find(stops.begin(), stops.end(), id) != stops.end(); };
  try {
    thread_local Bits allowed;
    allowed.assign((vocab + 31) / 32, 0);
    if (!matcher.ended()) {
      const Bits& text = matcher.mask().bits;
      std::copy_n(text.begin(), std::min(text.size(), allowed.size()), allowed.begin());
    }
    for (const int32_t id : stops) {
      if (id < 0 || id >= vocab) continue;
      if (matcher.accepts())
        grammar::set_bit(allowed, id);
      else
        allowed[id >> 5] &= ~(1u << (id & 31));
    }
    const int32_t first = first_of(allowed);
    if (first < 0) {
      result.id = 0;
      result.stop = matcher.accepts();  // complete, and the caller left no stop token to say so
      result.stuck = !result.stop;
      return;
    }
    mask_logits(allowed, logits, vocab);
    result.id = choose();
    // The choice is out of the running only where no logit in it is a number.
    if (!grammar::has_bit(allowed, result.id)) result.id = first;
    if (is_stop(result.id)) return;
    matcher.accept(result.id);
    result.ended = matcher.ended();
  } catch (const std::exception&) {
    result.id = 0;
    result.stuck = true;
  }
}

}  // namespace kvasir::cpu
