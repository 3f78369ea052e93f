// What the pretended machine is like: environment variables, read once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace kvasir::simt::lookalike {

struct Settings {
  int devices = 1;                      // KVASIR_SIMT_DEVICES
  std::vector<int> compute = {80};      // KVASIR_SIMT_COMPUTE, '80,90': of each device, the last of all others
  int driver_version = 13000;           // KVASIR_SIMT_VERSION
  uint64_t memory = uint64_t{1} << 30;  // KVASIR_SIMT_MEMORY, bytes of each device
  int init_result = 0;                  // KVASIR_SIMT_INIT: what cuInit gives
  std::string broken;                   // KVASIR_SIMT_BROKEN: kernels whose names contain it do nothing
  std::string stuck;                    // KVASIR_SIMT_STUCK: kernels whose names contain it do not end
  std::string report;                   // KVASIR_SIMT_REPORT: a file that gets the counters when a context ends

  int compute_capability(int device) const { return compute[std::min<size_t>(device, compute.size() - 1)]; }
};
const Settings& settings();

}  // namespace kvasir::simt::lookalike
