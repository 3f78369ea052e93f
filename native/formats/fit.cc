// A grid of step sizes around the obvious one; for each, round, then solve for the scale (and minimum) that suit the
// rounded levels best. Large values count more (weight |x| + mean |x|), for they carry more of a dot product.
#include "native/formats/fit.h"

#include <algorithm>
#include <cmath>

namespace kvasir {
namespace {

constexpr int kMaxGroup = 32;
constexpr int kSteps = 8;           // candidates on each side of the obvious step size
constexpr float kStepWidth = 0.1f;  // in levels

// Importance of each value.
void weigh(const float* x, int n, float* weight) {
  float mean = 0;
  for (int i = 0; i < n; ++i) mean += std::fabs(x[i]);
  mean /= static_cast<float>(n);
  for (int i = 0; i < n; ++i) weight[i] = std::fabs(x[i]) + mean;
}

}  // namespace

int nearest_level(float value, int low, int high) {
  if (!(value > static_cast<float>(low))) return low;
  if (value >= static_cast<float>(high)) return high;
  return static_cast<int>(std::lrint(value));
}

float fit_symmetric(const float* x, int n, int low, int high) {
  float extreme = 0;
  for (int i = 0; i < n; ++i) {
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  }
  if (extreme == 0) return 0;
  float weight[kMaxGroup];
  weigh(x, n, weight);

  // With q fixed the best scale is Σwxq / Σwqq, and the error falls by (Σwxq)² / Σwqq: the candidate to keep is the
  // one with the greatest fall. `low` has the larger magnitude, so the extreme is mapped to it.
  float best_scale = extreme / static_cast<float>(low);
  double best_gain = -1;
  for (int step = -kSteps; step <= kSteps; ++step) {
    const float inverse = (static_cast<float>(low) + kStepWidth * static_cast<float>(step)) / extreme;
    if (!std::isfinite(inverse)) continue;
    double xq = 0;
    double qq = 0;
    for (int i = 0; i < n; ++i) {
      const double q = nearest_level(x[i] * inverse, low, high);
      xq += weight[i] * x[i] * q;
      qq += weight[i] * q * q;
    }
    if (qq > 0 && xq * xq / qq > best_gain) {
      best_gain = xq * xq / qq;
      best_scale = static_cast<float>(xq / qq);
    }
  }
  return best_scale;
}

Affine fit_affine(const float* x, int n, int high, bool min_at_most_zero) {
  const auto [smallest, largest] = std::minmax_element(x, x + n);
  float min = *smallest;
  if (min_at_most_zero) min = std::min(min, 0.0f);
  const float range = *largest - min;
  if (!(range > 0)) return {0, min};
  float weight[kMaxGroup];
  weigh(x, n, weight);

  const auto error = [&](const int* q, double scale, double offset) {
    double sum = 0;
    for (int i = 0; i < n; ++i) {
      const double difference = scale * q[i] + offset - x[i];
      sum += weight[i] * difference * difference;
    }
    return sum;
  };

  Affine best{range / static_cast<float>(high), min};
  double best_error = INFINITY;
  for (int step = -kSteps; step <= kSteps; ++step) {
    const float inverse = (static_cast<float>(high) + kStepWidth * static_cast<float>(step)) / range;
    if (!std::isfinite(inverse)) continue;
    int level[kMaxGroup];
    double w = 0, wx = 0, wq = 0, wqq = 0, wxq = 0;
    for (int i = 0; i < n; ++i) {
      level[i] = nearest_level((x[i] - min) * inverse, 0, high);
      const double q = level[i];
      w += weight[i];
      wx += weight[i] * x[i];
      wq += weight[i] * q;
      wqq += weight[i] * q * q;
      wxq += weight[i] * x[i] * q;
    }
    // The normal equations of weighted linear regression x = scale · q + offset.
    const double determinant = w * wqq - wq * wq;
    if (!(determinant > 0)) continue;
    double scale = (w * wxq - wx * wq) / determinant;
    double offset = (wqq * wx - wq * wxq) / determinant;
    if (min_at_most_zero && offset > 0) {
      offset = 0;
      scale = wqq > 0 ? wxq / wqq : 0;
    }
    const double e = error(level, scale, offset);
    if (scale > 0 && e < best_error) {
      best_error = e;
      best = {static_cast<float>(scale), static_cast<float>(offset)};
    }
  }
  return best;
}

}  // namespace kvasir
