#include "native/executor/swap_space.h"

#include <algorithm>

#include "native/base/check.h"

namespace kvasir {

void check_swap(const std::vector<int32_t>& copies, int32_t pages, int32_t places) {
  KV_CHECK(places > 0, "KV_UNSUPPORTED", "swap: the device was made without room for it");
  KV_CHECK(copies.size() % 2 == 0, "KV_NATIVE", "swap: ", copies.size(), " words, expected pairs");
  const int64_t most = int64_t{pages} + places;
  for (size_t i = 0; i < copies.size(); i += 2) {
    const int32_t from = copies[i], to = copies[i + 1];
    KV_CHECK(from >= 0 && to >= 0 && from < most && to < most && (from < pages) != (to < pages), "KV_NATIVE",
             "swap: from ", from, " to ", to, ", expected a page below ", pages, " and a place below ", most);
  }
}

SwapSpace::SwapSpace(const SwapOptions& options, const KvCache& kv) : kv_(kv) {
  if (options.folder.empty())
    memory_ = AnonymousMemory(kv.page_bytes() * options.pages);
  else
    file_.emplace(options.folder);
}

void SwapSpace::copy(const std::vector<int32_t>& copies, const Worker& worker) const {
  const auto [begin, end] = worker.share(kv_.page_bytes(), 4096);
  if (begin == end) return;
  for (size_t i = 0; i < copies.size(); i += 2) {
    const bool out = copies[i] < kv_.pages;
    const int32_t page = out ? copies[i] : copies[i + 1];
    const int64_t place = (out ? copies[i + 1] : copies[i]) - kv_.pages;
    uint8_t* const inside = kv_.head_page(0, page, 0) + begin;
    const int64_t offset = place * kv_.page_bytes() + begin;
    const auto count = static_cast<size_t>(end - begin);
    if (file_ && out)
      file_->write(offset, inside, count);
    else if (file_)
      file_->read(offset, inside, count);
    else if (out)
      std::copy_n(inside, count, memory_.data() + offset);
    else
      std::copy_n(memory_.data() + offset, count, inside);
  }
}

}  // namespace kvasir
