// Kernels with a planted bug each, and clean twins: what the emulator must find, and must not.
#pragma once

namespace kvasir::simt_test {

using Kernel = void (*)(const float* in, float* out);

// Run with two warps a block; in [64 a block] is initialised, out [64 a block] is not.
struct Planted {
  const char* name;
  const char* finding;  // null: none
  Kernel kernel;
  int blocks = 1;
  int shared_bytes = 256;
  bool reverses = false;  // out must be in, backwards; otherwise the finding is "values"
};

// Clean kernels whose bank conflicts and sectors are known; in has 512 floats.
struct Probe {
  const char* name;
  Kernel kernel;
  int shared_bytes;
};

extern const Probe kProbes[];
extern const int kProbeCount;
// One warp; in has 512 floats, out 128.
extern const Probe kInstructions[];
extern const int kInstructionCount;
extern const Planted kPlanted[];
extern const int kPlantedCount;
// Those with pipelines: cp.async in stages, bulk copies at mbarriers.
extern const Planted kPlantedPipelines[];
extern const int kPlantedPipelineCount;

}  // namespace kvasir::simt_test
