// What the emulator found wrong in a kernel, and what it counted.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace kvasir::simt {

struct Finding {
  uint64_t count = 0;
  std::string first;  // the first of its kind, in words
};

struct Report {
  // race, in-flight, uninitialised, bounds, misaligned, divergence, deadlock
  std::map<std::string, Finding> findings;
  void add(const char* kind, const std::string& words) {
    Finding& finding = findings[kind];
    if (finding.count++ == 0) finding.first = words;
  }
};

// What a kernel asked of one buffer of global memory.
struct Traffic {
  uint64_t sectors_read = 0, sectors_written = 0;  // of 32 bytes, a warp's request at a time
};

// Counted in check mode only, where every access is seen; mma and barriers always.
struct Counters {
  uint64_t mma = 0;
  uint64_t barriers = 0;
  uint64_t shared_requests = 0;  // of a warp
  uint64_t bank_conflicts = 0;   // extra passes over the 32 banks
  uint64_t global_requests = 0;  // of a warp
  uint64_t global_sectors = 0;   // of 32 bytes
  uint64_t global_read = 0;      // bytes
  uint64_t global_written = 0;   // bytes
  std::map<std::string, Traffic> buffers;
};

}  // namespace kvasir::simt
