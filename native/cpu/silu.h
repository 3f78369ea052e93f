// silu(gate) · up, the same for swiglu and for the end of gated_linear.
#pragma once

#include "native/cpu/vec.h"

namespace kvasir::cpu::KVASIR_ISA {

KV_INLINE f32x16 silu(f32x16 x) { return div(x, add(set1(1.0f), exp(sub(set1(0.0f), x)))); }
KV_INLINE f32x16 gated(f32x16 gate, f32x16 up) { return mul(silu(gate), up); }

}  // namespace kvasir::cpu::KVASIR_ISA
