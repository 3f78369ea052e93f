// Multiplications of warpgroups that are in flight.
#pragma once

#include <cstdint>
#include <vector>

#include "native/simt/instructions.h"

namespace kvasir::simt {

constexpr int kGroupThreads = 128;

struct Wgmma {
  WgmmaIn in;
  int group;  // that it will be, or was, committed with
  uint32_t epoch;
  bool computed = false, chained = false;  // chained: adds to the result of one before it
  uint32_t* d[kGroupThreads] = {};
  const uint32_t* a_from[kGroupThreads] = {};
  uint32_t a[kGroupThreads][4] = {};
  std::vector<uint32_t> before;  // what d held, where it adds and is not chained
};

struct Thread;

// Four warps, and the instruction in which they meet.
struct Warpgroup {
  std::vector<Wgmma> flight;
  uint32_t epoch = 0;
  int present = 0;
  WgmmaIn in = {};
  Thread* thread[kGroupThreads];
  uint32_t* d[kGroupThreads];
  const uint32_t* a[kGroupThreads];
};

}  // namespace kvasir::simt
