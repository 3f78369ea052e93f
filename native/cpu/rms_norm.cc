// rms_norm and quantize. Reference: test/reference/rowwise.ts
#include "native/cpu/kernels.h"
#include "native/cpu/quantize_groups.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

// 1 / sqrt(mean(x²) + eps): sixteen partial sums by fma in ascending order, then the tree.
float inverse_rms(const float* x, int dim, float eps) {
  f32x16 sum = set1(0.0f);
  for (int i = 0; i < dim; i += kLanes) {
    const f32x16 v = load(x + i, dim - i);
    sum = fma(v, v, sum);
  }
  return 1.0f / __builtin_sqrtf(reduce_add(sum) / static_cast<float>(dim) + eps);
}

}  // namespace

void rms_norm(const RmsNorm& op, const Worker& worker) {
  const Range rows = worker.share(op.y.rows);
  const int dim = op.y.dim;
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    const float* x = op.x.f32(op.index ? op.index[i] : i);
    const f32x16 by = set1(inverse_rms(x, dim, op.eps));
    if (op.y.dtype == Dtype::act8) {
      quantize_groups(op.y, i, 0, dim / kGroup, [&](int g, int half) KV_LAMBDA {
        const int64_t at = g * kGroup + half * kLanes;
        return mul(mul(load(x + at), by), load(op.w + at));
      });
    } else {
      for (int j = 0; j < dim; j += kLanes)
        store(op.y.f32(i) + j, mul(mul(load(x + j, dim - j), by), load(op.w + j, dim - j)), dim - j);
    }
  }
}

void quantize(const Quantize& op, const Worker& worker) {
  const int groups = op.y.dim / kGroup;
  const Range all = worker.share(int64_t{op.y.rows} * groups, groups < 64 ? groups : 64);
  for (int64_t at = all.begin; at < all.end;) {
    const int64_t row = at / groups;
    const int first = static_cast<int>(at % groups);
    const int64_t left = all.end - at;
    const int end = left < groups - first ? first + static_cast<int>(left) : groups;
    const float* x = op.x.f32(row);
    quantize_groups(op.y, row, first, end,
                    [&](int g, int half) KV_LAMBDA { return load(x + g * kGroup + half * kLanes); });
    at += end - first;
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
