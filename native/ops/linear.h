// linear: y[:, column…] = x · Wᵀ (+ bias) (+ y).
//
//   x  [T, K]  act8 where the weights are quantised, f32 where they are floats
//   W  [N, K]  up to three matrices of one K, written side by side into y (q, k, v or gate, up)
//   y  [T, ≥ ΣN]  f32
//
// Order of the arithmetic, the same for one row as for a thousand and for every tile shape (design law 3).
// Quantised weights: per output, groups of 32 in ascending k, with exact integer sums inside a group:
//     isum = Σ (u − zero)·q,   acc = fma(isum, d·scale, acc),   and for formats with a minimum
//     acc = fma(m, scale·sum, acc)
//   where d (and m) is the weight group's own scale as f32 (K-quants: super-scale × 6-bit scale, rounded once;
//   q6_k has two groups of 16 in each 32, each with its own isum and d, in ascending order).
// Float weights: 16 partial sums, partial[j] = Σ w[k]·x[k] over k ≡ j mod 16 by fma in ascending k, then the tree
//   j+8, j+4, j+2, j+1; what is left of K past the last multiple of 16 belongs to partials 0….
//   A device may take f16 and bf16 weights to tensor cores (cuda, compute capability 9.0): x is rounded to the weights' format,
//   a row of f16 divided by a power of two where its largest value is 2¹⁵ or more, and the sum is one chain over k, sixteen
//   at a time. Its bits are its own then; a row still has the same in every step.
// Then + bias, then + the old y.
#pragma once

#include "native/ops/rows.h"

namespace kvasir {

constexpr int kMaxSegments = 3;

struct Linear {
  struct Segment {
    Weight w;
    const float* bias = nullptr;  // [N] or null
    int32_t column = 0;           // first column in y
  };
  Rows x;
  Segment segment[kMaxSegments];
  int32_t segments = 0;
  Rows y;
  bool accumulate = false;  // add to what y holds (a residual stream)
};

// gated_linear: y = silu(gate) · up, where gate and up are the two segments of `both`: linear, then swiglu (rowwise.h), with
// the bits of the two. A device may keep the products to itself, or write them to both.y and read them from there; what is
// left in both.y means nothing.
struct GatedLinear {
  Linear both;  // [F, K] and [F, K]; both.y [T, 2·F] f32
  Rows y;       // [T, F] f32 or act8
};

}  // namespace kvasir
