// What `sample` finds for a row.
#pragma once

#include <cstdint>

namespace kvasir {

constexpr int kMaxTopLogprobs = 20;

struct SampleResult {
  int32_t id = -1;
  float logprob = 0;   // natural log of the model's own probability of `id` (before temperature and filters)
  bool stop = false;   // id is one of the slot's stop tokens
  bool ended = false;  // with id the answer is complete: its grammar lets nothing follow
  bool stuck = false;  // no token continues the answer as its grammar wants it; id means nothing
  int32_t top_count = 0;
  int32_t top_id[kMaxTopLogprobs];
  float top_logprob[kMaxTopLogprobs];
};

}  // namespace kvasir
