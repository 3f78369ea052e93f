// pool: see native/ops/sample.h. Sequences are shared out; a sum runs in ascending position.
#include "native/cpu/sampling/sampler.h"

#include <algorithm>

namespace kvasir::cpu {

void pool_sequences(const Pool& op, const Worker& worker) {
  const StepSequences& sequences = op.sequences;
  const int dim = op.x.dim;
  const Range mine = worker.share(sequences.count);
  for (int64_t s = mine.begin; s < mine.end; ++s) {
    std::vector<float>& pooled = op.slots[op.slot[s]].pooled;
    if (sequences.position[s] == 0 || static_cast<int>(pooled.size()) != dim) pooled.assign(dim, 0.0f);
    const int begin = sequences.start[s], end = sequences.start[s + 1];
    for (int t = op.mean ? begin : std::max(begin, end - 1); t < end; ++t) {
      const float* x = op.x.f32(t);
      for (int i = 0; i < dim; ++i) pooled[i] = op.mean ? pooled[i] + x[i] : x[i];
    }
  }
}

}  // namespace kvasir::cpu
