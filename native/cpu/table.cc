// The kernels of one instruction set, gathered. Built once per set; KVASIR_ISA names it.
#include "native/cpu/table.h"

#include "native/cpu/kernels.h"

namespace kvasir::cpu::KVASIR_ISA {

#define KVASIR_STRING_(x) #x
#define KVASIR_STRING(x) KVASIR_STRING_(x)

extern const KernelTable table;
const KernelTable table = {
    .isa = KVASIR_STRING(KVASIR_ISA),
    .embed = nullptr,
    .rms_norm = nullptr,
    .quantize = nullptr,
    .linear = linear,
    .rope_table = nullptr,
    .rope_kv = nullptr,
    .attention = nullptr,
    .swiglu = nullptr,
    .add = nullptr,
    .sample = nullptr,
    .pool = nullptr,
};

}  // namespace kvasir::cpu::KVASIR_ISA
