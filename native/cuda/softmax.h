// The online softmax of native/ops/attention.h, page by page, in the order that all devices share.
#pragma once

#include "native/cuda/numbers.h"
#include "native/ops/attention.h"

namespace kvasir::cuda {

// The running state of a row: the largest score so far and the sum of weights relative to it.
struct Running {
  float most = -INFINITY;
  float sum = 0;
};

// total ⊕= part, where each is a softmax over its own tokens: the values are to be multiplied by `past` and `now`.
struct Merge {
  float past, now;
};
__device__ __forceinline__ Merge merge(Running& total, const Running& part) {
  const float most = part.most > total.most ? part.most : total.most;
  const Merge by = {exp_of(total.most - most), exp_of(part.most - most)};
  total = {most, fmaf(part.sum, by.now, total.sum * by.past)};
  return by;
}

// The inverse of the step by which weights times value scales become s16, and the step itself; 0 where it vanishes.
__device__ __forceinline__ Quantum weight_quantum(float top, float scale_step) {
  const float step = top * scale_step;
  return step > 1e-34f ? Quantum{step, 1.0f / step} : Quantum{0.0f, 0.0f};
}

__device__ __forceinline__ int first_visible(const Attention& op, int position) {
  return op.window > 0 && position >= op.window ? position - op.window + 1 : 0;
}

}  // namespace kvasir::cuda
