// The weights of a model in a card's memory: packed as native/cuda/pack.h says, in one block.
#pragma once

#include <functional>

#include "native/driver/stream.h"
#include "native/program/program.h"

namespace kvasir::cuda {

struct UploadProgress {
  int64_t done, total;  // bytes of the card's memory
};

class CardWeights {
 public:
  // Reads the mapped files, packs on `threads` threads and copies, a chunk under the packing of the next. `program` tells
  // which weights are vectors.
  CardWeights(const driver::ContextPtr& context, const Weights& weights, const Program& program, int threads,
              const std::function<void(UploadProgress)>& progress);

  const Weights& weights() const { return weights_; }  // as in the files, but `data` is the card's
  int64_t bytes() const { return static_cast<int64_t>(memory_.size()); }

 private:
  driver::DeviceMemory memory_;
  Weights weights_;
};

}  // namespace kvasir::cuda
