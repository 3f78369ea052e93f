#include "native/executor/cuda/card_swap.h"

#include <algorithm>

namespace kvasir::cuda {
namespace {

constexpr int64_t kSlabBytes = int64_t{64} << 20;

}  // namespace

// The cache of a card has one page more than is given out.
CardSwap::CardSwap(driver::ContextPtr context, int32_t places, const KvCache& kv)
    : context_(std::move(context)),
      kv_(kv),
      pages_(kv.pages - 1),
      slab_places_(static_cast<int32_t>(std::clamp<int64_t>(kSlabBytes / kv.page_bytes(), 1, std::max(places, 1)))),
      slabs_((places + slab_places_ - 1) / slab_places_) {}

uint8_t* CardSwap::place(int32_t number) {
  driver::PinnedMemory& slab = slabs_[number / slab_places_];
  if (slab.size() == 0) slab = driver::PinnedMemory(context_, kv_.page_bytes() * slab_places_);
  return slab.data() + kv_.page_bytes() * (number % slab_places_);
}

void CardSwap::queue(const std::vector<int32_t>& copies, driver::Stream& stream) {
  for (size_t i = 0; i < copies.size(); i += 2) {
    const int32_t from = copies[i], to = copies[i + 1];
    if (from < pages_)
      stream.copy_out(place(to - pages_), kv_.head_page(0, from, 0), kv_.page_bytes());
    else
      stream.copy_in(kv_.head_page(0, to, 0), place(from - pages_), kv_.page_bytes());
  }
}

}  // namespace kvasir::cuda
