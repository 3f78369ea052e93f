// What the card's own engines read and write: bulk copies, and wgmma. The second half of checker.h.
#include <algorithm>

#include "native/base/check.h"
#include "native/simt/checker.h"

namespace kvasir::simt {

void Checker::end_bulk_copy(uint32_t to, int bytes, std::vector<uint32_t>& clock, cuda::Swizzle swizzle) {
  ++engine_clock_;
  for (size_t g = to / shared_.granule; g <= (to + bytes - 1u) / shared_.granule; ++g) {
    Shadow& shadow = shared_.shadow[g];
    shadow.in_flight = false;
    shadow.writer = static_cast<uint16_t>(engine_);
    shadow.write_clock = engine_clock_;
    shadow.swizzle = static_cast<uint8_t>(1 + static_cast<uint32_t>(swizzle));
  }
  clock.resize(threads_, 0);
  clock[engine_] = engine_clock_;
}

bool Checker::read_by_copy(const void* from, int bytes, Thread& thread, const void* site) {
  const auto* at = static_cast<const unsigned char*>(from);
  const auto address = reinterpret_cast<uintptr_t>(from);
  const int each = (address | static_cast<uintptr_t>(bytes)) % 16 == 0 ? 16 : (address | bytes) % 4 == 0 ? 4 : 1;
  for (int i = 0; i < bytes; i += each)
    if (!access(at + i, each, Access::read, thread, nullptr)) return false;
  if (const Region* region = find(at)) lint_.note(thread, site, at - region->data, bytes, &region->name, false);
  return true;
}

bool Checker::read_by_wgmma(uint32_t from, int bytes, Thread& thread, cuda::Swizzle swizzle, uint32_t epoch) {
  const int group = thread.id >> 7;
  KV_CHECK(group < kMaxWarpgroups, "INTERNAL", "wgmma in warpgroup ", group, ": the checker knows ", kMaxWarpgroups);
  if (from + bytes > shared_.bytes) {
    machine_.report.add("bounds", text("wgmma reads shared memory+", from, " of ", shared_.bytes));
    return false;
  }
  for (size_t g = from / shared_.granule; g <= (from + bytes - 1u) / shared_.granule; ++g) {
    Shadow& shadow = shared_.shadow[g];
    const size_t at = g * shared_.granule;
    if (shadow.in_flight)
      machine_.report.add("in-flight", text("wgmma reads shared memory+", at, " while a copy to it is in flight"));
    else if (!shadow.initialised)
      machine_.report.add("uninitialised", text("wgmma reads shared memory+", at));
    if (shadow.written && !before(shadow.write_block, shadow.writer, shadow.write_clock, thread))
      race("wgmma after write", shared_, at, thread, shadow.writer, shadow.write_block);
    const bool ordinary = shadow.written && shadow.writer < engine_;
    const std::vector<uint32_t>& known = known_[thread.id];
    if (ordinary && !shadow.in_flight && fenced_[shadow.writer] < shadow.write_clock &&
        (known.empty() || known[shadow.writer] < shadow.write_clock))
      machine_.report.add("unfenced", text("wgmma reads shared memory+", at, ", written by thread ", shadow.writer,
                                           " without fence.proxy.async"));
    if (shadow.swizzle && shadow.swizzle != 1 + static_cast<uint32_t>(swizzle))
      machine_.report.add("swizzle", text("wgmma reads shared memory+", at, " by another swizzle than it was written"));
    shadow.wgmma_read[group] = epoch;
  }
  return true;
}

void Checker::end_wgmma(uint32_t epoch, Thread& thread) {
  uint32_t& known = clock(thread)[engine_ + 1 + thread.id / 32];
  known = std::max(known, epoch);
}

void Checker::fence_async(Thread& thread) {
  uint32_t* own = clock(thread);
  fenced_[thread.id] = own[thread.id];
  known_[thread.id].assign(own, own + threads_);
  ++own[thread.id];
}

}  // namespace kvasir::simt
