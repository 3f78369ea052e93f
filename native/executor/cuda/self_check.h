// The kernels for compute capability 9.0 rest on what documents say of wgmma and TMA. Before a model uses them they must give
// what the kernels for every card give.
#pragma once

#include "native/cuda/contract.h"
#include "native/driver/kernels.h"
#include "native/driver/stream.h"

namespace kvasir::cuda {

// Runs linear both ways on random matrices in each format that the model has. A millisecond or two.
bool wgmma_agrees(const driver::ContextPtr& context, driver::Kernels& kernels, driver::Stream& stream,
                  const std::vector<Weight>& weights);
// Runs attention over f16 pages for heads like those of `like`. Tensor cores round in a way of their own, so it has to come near
// the other kernel's result, and a prompt has to have the bits of its tokens one by one.
bool wgmma_attention_agrees(const driver::ContextPtr& context, driver::Kernels& kernels, driver::Stream& stream,
                            const KvCache& like);

// The same for linear with f16 and bf16 weights: near the other kernel's, and one row alone as in large tiles.
bool wgmma_half_agrees(const driver::ContextPtr& context, driver::Kernels& kernels, driver::Stream& stream);

}  // namespace kvasir::cuda
