// The scale (and minimum) with which a few integer levels come nearest to a group of values, by least squares.
#pragma once

namespace kvasir {

struct Affine {
  float scale = 0;  // value ≈ scale · q + min
  float min = 0;
};

// scale such that x[i] ≈ scale · q[i] with q in [low, high], low < 0. The sign of scale is free.
float fit_symmetric(const float* x, int n, int low, int high);

// scale ≥ 0 and min such that x[i] ≈ scale · q[i] + min with q in [0, high]. `min_at_most_zero` as K-quants need it.
Affine fit_affine(const float* x, int n, int high, bool min_at_most_zero);

// The nearest of the levels low…high to value; anything that is not a number becomes `low`.
int nearest_level(float value, int low, int high);

}  // namespace kvasir
