// A grid of step sizes around the obvious one; for each, round, then solve for the scale (and minimum) that suit the
// rounded levels best. Large values count more (weight 1 + |x| / mean |x|), for they carry more of a dot product.
#include "native/formats/fit.h"

#include <algorithm>
#include <cmath>

namespace kvasir {
namespace {

constexpr int kMaxGroup = 32;
constexpr int kSteps = 8;           // candidates on each side of the obvious step size
constexpr float kStepWidth = 0.1f;  // in levels

// Importance of each value; not all are zero.
void weigh(const float* x, int n, float* weight) {
  float mean = 0;
  for (int i = 0; i < n; ++i) mean += std::fabs(x[i]);
  mean /= static_cast<float>(n);
  for (int i = 0; i < n; ++i) weight[i] = 1 + std::fabs(x[i]) / mean;
}

}  // namespace

float fit_symmetric(const float* x, int n, float low, float high) {
  float extreme = 0;
  for (int i = 0; i < n; ++i) {
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  }
  if (extreme == 0) return 0;
  float weight[kMaxGroup];
  weigh(x, n, weight);

  // With q fixed the best scale is Σwxq / Σwqq, and the error falls by (Σwxq)² / Σwqq: the candidate to keep is the
  // one with the greatest fall. `low` has the larger magnitude, so the extreme is mapped to it.
  float best_scale = extreme / low;
  float best_gain = -1;
  for (int step = -kSteps; step <= kSteps; ++step) {
    const float inverse = (low + kStepWidth * static_cast<float>(step)) / extreme;
    if (!std::isfinite(inverse)) continue;
    float xq = 0;
    float qq = 0;
    for (int i = 0; i < n; ++i) {
      const float q = nearest_level(x[i] * inverse, low, high);
      xq += weight[i] * x[i] * q;
      qq += weight[i] * q * q;
    }
    if (qq > 0 && xq * xq / qq > best_gain) {
      best_gain = xq * xq / qq;
      best_scale = xq / qq;
    }
  }
  return best_scale;
}

Affine fit_affine(const float* x, int n, float high, bool min_at_most_zero) {
  const auto [smallest, largest] = std::minmax_element(x, x + n);
  float min = *smallest;
  if (min_at_most_zero) min = std::min(min, 0.0f);
  const float range = *largest - min;
  if (!(range > 0)) return {0, min};
  float weight[kMaxGroup];
  weigh(x, n, weight);

  float shifted[kMaxGroup];  // from min, so that sums keep their precision where all values are alike
  for (int i = 0; i < n; ++i) shifted[i] = x[i] - min;

  Affine best{range / high, min};
  float best_error = INFINITY;
  for (int step = -kSteps; step <= kSteps; ++step) {
    const float inverse = (high + kStepWidth * static_cast<float>(step)) / range;
    if (!std::isfinite(inverse)) continue;
    float level[kMaxGroup];
    float w = 0, wx = 0, wq = 0, wqq = 0, wxq = 0;
    for (int i = 0; i < n; ++i) {
      const float q = nearest_level(shifted[i] * inverse, 0, high);
      const float weighted = weight[i] * q;
      level[i] = q;
      w += weight[i];
      wx += weight[i] * shifted[i];
      wq += weighted;
      wqq += weighted * q;
      wxq += weighted * shifted[i];
    }
    // The normal equations of weighted linear regression, shifted = scale · q + offset.
    const float determinant = w * wqq - wq * wq;
    if (!(determinant > 0)) continue;
    float scale = (w * wxq - wx * wq) / determinant;
    float offset = (wqq * wx - wq * wxq) / determinant;
    if (min_at_most_zero && min + offset > 0) {
      offset = -min;
      scale = (wxq + min * wq) / wqq;
    }
    float error = 0;
    for (int i = 0; i < n; ++i) {
      const float difference = scale * level[i] + offset - shifted[i];
      error += weight[i] * difference * difference;
    }
    if (scale > 0 && error < best_error) {
      best_error = error;
      best = {scale, min + offset};
    }
  }
  return best;
}

}  // namespace kvasir
