// Places beside a card for pages that are swapped out: pinned memory of the machine, taken a slab at a time as it is
// needed.
#pragma once

#include <vector>

#include "native/driver/stream.h"
#include "native/executor/swap_space.h"

namespace kvasir::cuda {

class CardSwap {
 public:
  CardSwap(driver::ContextPtr context, int32_t places, const KvCache& kv);

  // Queues copies that check_swap() let pass, one after another.
  void queue(const std::vector<int32_t>& copies, driver::Stream& stream);

 private:
  uint8_t* place(int32_t number);

  const driver::ContextPtr context_;
  const KvCache kv_;
  const int32_t pages_;  // that are given out: places are numbered from there on
  const int32_t slab_places_;
  std::vector<driver::PinnedMemory> slabs_;
};

}  // namespace kvasir::cuda
