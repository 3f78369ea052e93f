// From f32 to a storage format. Deterministic: the same values give the same bytes on every machine.
#pragma once

#include <cstdint>

#include "native/base/dtype.h"

namespace kvasir {

// Writes one row of n finite values, n a multiple of the format's block, as row_bytes(dtype, n) bytes.
// f16 and bf16 round to nearest even. Quantised formats choose the scale (and minimum) of a block that gives the least
// squared error over a few candidates, then round each value to the nearest level of the scale as stored.
void quantize_row(Dtype dtype, const float* x, uint8_t* row, int64_t n);

}  // namespace kvasir
