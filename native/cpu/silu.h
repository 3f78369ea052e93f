// silu(gate) · up, the same for swiglu and for the end of gated_linear.
#pragma once

#include "native/cpu/vec.h"
#include "native/ops/rows.h"

namespace kvasir::cpu::KVASIR_ISA {

KV_INLINE f32x16 silu(f32x16 x) { return div(x, add(set1(1.0f), exp(sub(set1(0.0f), x)))); }

// Values [column, column + 32) of a row of y, from both halves of gate and up.
KV_INLINE void write_gated(const Rows& y, int64_t row, int64_t column, f32x16 gate_low, f32x16 gate_high, f32x16 up_low,
                           f32x16 up_high) {
  const f32x16 low = mul(silu(gate_low), up_low), high = mul(silu(gate_high), up_high);
  if (y.dtype == Dtype::act8) {
    const int64_t group = column / kGroup;
    quantize_group(low, high, y.q(row) + column, y.scale(row) + group, y.sum(row) + group);
  } else {
    store(y.f32(row) + column, low);
    store(y.f32(row) + column + kLanes, high);
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
