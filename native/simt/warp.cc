// Shuffles, votes and __syncwarp. Only __syncwarp orders memory (PTX ISA, shfl.sync and bar.warp.sync).
#include "native/simt/checker.h"
#include "native/simt/instructions.h"

namespace kvasir::simt {
namespace {

struct ShuffleIn {
  uint64_t value;
  Shuffle kind;
  int by;
};

int source(int lane, const ShuffleIn& in) {
  switch (in.kind) {
    case Shuffle::index:
      return in.by & 31;
    case Shuffle::exclusive_or:
      return (lane ^ in.by) & 31;
    case Shuffle::down:
      return lane + in.by < 32 ? lane + in.by : lane;
    case Shuffle::up:
      return lane - in.by >= 0 ? lane - in.by : lane;
  }
  return lane;
}

void shuffle_lanes(Meeting& meeting) {
  for (int lane = 0; lane < 32; ++lane) {
    if (!(meeting.present >> lane & 1)) continue;
    const int from = source(lane, *static_cast<const ShuffleIn*>(meeting.in[lane]));
    if (!(meeting.present >> from & 1)) {
      Machine::now().report.add("divergence", "a shuffle reads a lane that is not in its mask");
      continue;
    }
    *static_cast<uint64_t*>(meeting.out[lane]) = static_cast<const ShuffleIn*>(meeting.in[from])->value;
  }
}

void ballot_lanes(Meeting& meeting) {
  uint32_t bits = 0;
  for (int lane = 0; lane < 32; ++lane)
    if (meeting.present >> lane & 1 && *static_cast<const bool*>(meeting.in[lane])) bits |= 1u << lane;
  for (int lane = 0; lane < 32; ++lane)
    if (meeting.present >> lane & 1) *static_cast<uint32_t*>(meeting.out[lane]) = bits;
}

void join_lanes(Meeting& meeting) {
  Checker* checker = Machine::now().checker.get();
  if (!checker) return;
  std::vector<uint32_t> clock;
  for (int lane = 0; lane < 32; ++lane)
    if (meeting.present >> lane & 1) checker->release(*meeting.thread[lane], clock);
  for (int lane = 0; lane < 32; ++lane)
    if (meeting.present >> lane & 1) checker->acquire(*meeting.thread[lane], clock);
}

}  // namespace

void sync_warp(uint32_t mask) { Machine::now().meet(mask, join_lanes, nullptr, nullptr); }

uint64_t shuffle_bits(uint32_t mask, uint64_t value, Shuffle kind, int by) {
  const ShuffleIn in{value, kind, by};
  uint64_t out = value;
  Machine::now().meet(mask, shuffle_lanes, &in, &out);
  return out;
}

uint32_t ballot(uint32_t mask, bool predicate) {
  uint32_t out = 0;
  Machine::now().meet(mask, ballot_lanes, &predicate, &out);
  return out;
}

}  // namespace kvasir::simt
