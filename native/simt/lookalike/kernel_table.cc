#include "native/simt/lookalike/kernel_table.h"

#include "native/cuda/conformance.h"
#include "native/cuda/hopper/conformance_hopper.h"
#include "native/cuda/hopper/kernels.h"
#include "native/cuda/kernels.h"

namespace kvasir::cuda {
extern "C" void conformance(const Conformance);
extern "C" void conformance_hopper(const HopperConformance);
}  // namespace kvasir::cuda

namespace kvasir::simt::lookalike {
namespace {

#define KVASIR_ENTRY(name, Op) \
  {#name, sizeof(Op), [](const void* argument) { cuda::name(*static_cast<const Op*>(argument)); }},
constexpr KernelEntry kKernels[] = {KVASIR_CUDA_KERNELS(KVASIR_ENTRY) KVASIR_HOPPER_KERNELS(KVASIR_ENTRY) KVASIR_ENTRY(
    conformance, cuda::Conformance) KVASIR_ENTRY(conformance_hopper, cuda::HopperConformance)};
#undef KVASIR_ENTRY

}  // namespace

const KernelEntry* find_kernel(std::string_view name) {
  for (const KernelEntry& kernel : kKernels)
    if (kernel.name == name) return &kernel;
  return nullptr;
}

}  // namespace kvasir::simt::lookalike
