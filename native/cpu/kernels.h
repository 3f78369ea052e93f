// The kernels of one instruction set; native/cpu/table.h tells what each does.
#pragma once

#include "native/cpu/table.h"

namespace kvasir::cpu::KVASIR_ISA {

void embed(const Embed&, const Worker&);
void rms_norm(const RmsNorm&, const Worker&);
void quantize(const Quantize&, const Worker&);
void linear(const Linear&, const Worker&);
void gated_linear(const GatedLinear&, const Worker&);
void rope_table(const RopeTable&, const Worker&);
void rope_kv(const RopeKv&, const Worker&);
void attention(const Attention&, const Worker&);
void swiglu(const SwiGlu&, const Worker&);
void add(const Add&, const Worker&);
void sample(const Sample&, const Worker&);
void pool(const Pool&, const Worker&);

}  // namespace kvasir::cpu::KVASIR_ISA
