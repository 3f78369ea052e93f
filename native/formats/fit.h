// The scale (and minimum) with which a few integer levels come nearest to a group of values, by least squares.
#pragma once

namespace kvasir {

struct Affine {
  float scale = 0;  // value ≈ scale · q + min
  float min = 0;
};

// scale such that x[i] ≈ scale · q[i] with q in [low, high], low < 0. The sign of scale is free.
float fit_symmetric(const float* x, int n, float low, float high);

// scale ≥ 0 and min such that x[i] ≈ scale · q[i] + min with q in [0, high]. `min_at_most_zero` as K-quants need it.
Affine fit_affine(const float* x, int n, float high, bool min_at_most_zero);

// The nearest of the levels low…high to value, ties to even; anything that is not a number becomes `low`. Adding and
// taking away 1.5 · 2²³ rounds to a whole number; without branches, for quantising does little else.
inline float nearest_level(float value, float low, float high) {
  constexpr float kRounder = 0x1.8p23f;
  const float above = value > low ? value : low;
  const float within = above < high ? above : high;
  return (within + kRounder) - kRounder;
}

}  // namespace kvasir
