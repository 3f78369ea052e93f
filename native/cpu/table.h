// The CPU kernels, built once per instruction set and chosen once by what the processor and the system offer.
//
// Kernels are called by every thread of the device with its own Worker. They may call worker.sync() an equal number
// of times on all threads; the executor syncs after each instruction.
#pragma once

#include <vector>

#include "native/base/worker.h"
#include "native/ops/attention.h"
#include "native/ops/linear.h"
#include "native/ops/rowwise.h"
#include "native/ops/sample.h"

namespace kvasir::cpu {

struct KernelTable {
  const char* isa;
  void (*embed)(const Embed&, const Worker&);
  void (*rms_norm)(const RmsNorm&, const Worker&);
  void (*quantize)(const Quantize&, const Worker&);
  void (*linear)(const Linear&, const Worker&);
  void (*gated_linear)(const GatedLinear&, const Worker&);
  void (*rope_table)(const RopeTable&, const Worker&);
  void (*rope_kv)(const RopeKv&, const Worker&);
  void (*attention)(const Attention&, const Worker&);
  void (*swiglu)(const SwiGlu&, const Worker&);
  void (*add)(const Add&, const Worker&);
  void (*sample)(const Sample&, const Worker&);
  void (*pool)(const Pool&, const Worker&);
};

// The tables that this processor and operating system can run, the best first.
std::vector<const KernelTable*> runnable_kernels();

// The best of them, or the one named by KVASIR_ISA (baseline, avx2, avx512, neon, dotprod, i8mm); null with a reason in `error` when that name is unknown or cannot run here.
const KernelTable* select_kernels(const char** error);

}  // namespace kvasir::cpu
