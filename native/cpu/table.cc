// The kernels of one instruction set, gathered. Built once per set; KVASIR_ISA names it.
#include "native/cpu/table.h"

#include "native/cpu/kernels.h"

namespace kvasir::cpu::KVASIR_ISA {

#define KVASIR_STRING_(x) #x
#define KVASIR_STRING(x) KVASIR_STRING_(x)

extern const KernelTable table;
const KernelTable table = {
    .isa = KVASIR_STRING(KVASIR_ISA),
    .embed = embed,
    .rms_norm = rms_norm,
    .quantize = quantize,
    .linear = linear,
    .gated_linear = gated_linear,
    .rope_table = rope_table,
    .rope_kv = rope_kv,
    .attention = attention,
    .swiglu = swiglu,
    .add = add,
    .sample = sample,
    .pool = pool,
};

}  // namespace kvasir::cpu::KVASIR_ISA
