// The kernels for compute capability 9.0 rest on what documents say of wgmma and TMA. Before a model uses them they must give
// the bits of the kernels for every card.
#pragma once

#include "native/cuda/contract.h"
#include "native/driver/kernels.h"
#include "native/driver/stream.h"

namespace kvasir::cuda {

// Runs linear both ways on random matrices in each format that the model has. A millisecond or two.
bool wgmma_agrees(const driver::ContextPtr& context, driver::Kernels& kernels, driver::Stream& stream,
                  const std::vector<Weight>& weights);

}  // namespace kvasir::cuda
