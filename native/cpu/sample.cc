// sample and pool: the scans over a vocabulary. What is done with them: native/cpu/sampling/sampler.cc.
// Reference: test/reference/sample.ts
#include "native/cpu/kernels.h"
#include "native/cpu/sampling/sampler.h"
#include "native/cpu/vec.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

// The maximum first, then its first occurrence: two plain scans beat one that carries indices.
int64_t argmax(const float* x, int64_t n) {
  f32x16 top[4] = {set1(-kInfinity), set1(-kInfinity), set1(-kInfinity), set1(-kInfinity)};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) top[j] = max(load(x + i + j * kLanes), top[j]);
  float best = reduce_max(max(max(top[0], top[1]), max(top[2], top[3])));
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  for (i = 0; i + kLanes <= n; i += kLanes) {
    const uint32_t hits = lanes(at_least(load(x + i), set1(best)));
    if (hits) return i + __builtin_ctz(hits);
  }
  for (; i < n; ++i)
    if (x[i] >= best) return i;
  return 0;  // NaN throughout
}

KV_INLINE f32x16 weight(const float* x, int64_t n, float top, float by) {
  const f32x16 v = max(load(x, n), set1(-kInfinity));
  return exp(mul(sub(v, set1(top)), set1(by)));
}

float sum_exp(const float* x, int64_t n, float top, float by) {
  f32x16 sum = set1(0.0f);
  for (int64_t i = 0; i < n; i += kLanes) {
    const f32x16 e = weight(x + i, n - i, top, by);
    sum = add(sum, n - i >= kLanes ? e : select(lane_range(0, static_cast<int>(n - i)), e, set1(0.0f)));
  }
  return reduce_add(sum);
}

void exps(const float* x, int64_t n, float top, float by, float* y) {
  for (int64_t i = 0; i < n; i += kLanes) store(y + i, weight(x + i, n - i, top, by), n - i);
}

int64_t indices_at_least(const float* x, int64_t n, float least, int32_t* indices) {
  int64_t count = 0, i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    uint32_t hits = lanes(at_least(load(x + i), set1(least)));
    for (; hits; hits &= hits - 1) indices[count++] = static_cast<int32_t>(i + __builtin_ctz(hits));
  }
  for (; i < n; ++i)
    if (x[i] >= least) indices[count++] = static_cast<int32_t>(i);
  return count;
}

constexpr SampleScans kScans = {argmax, sum_exp, exps, indices_at_least};

}  // namespace

void sample(const Sample& op, const Worker& worker) { sample_rows(op, worker, kScans); }
void pool(const Pool& op, const Worker& worker) { pool_sequences(op, worker); }

}  // namespace kvasir::cpu::KVASIR_ISA
