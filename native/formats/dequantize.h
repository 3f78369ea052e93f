// From a storage format to f32: what the bytes of a weight mean. The reference for every kernel, so it is plain code.
#pragma once

#include <cstdint>

#include "native/base/dtype.h"

namespace kvasir {

// out[0…n) = the values of one row. n is a multiple of the format's block; `row` needs no alignment.
// Each value is rounded as written in native/base/dtype.h: products and sums one at a time in f32, and for K-quants
// the super-scale times the 6-bit scale (or minimum) first.
void dequantize_row(Dtype dtype, const uint8_t* row, float* out, int64_t n);

}  // namespace kvasir
