// Kernels with a planted bug each, and clean twins: what the emulator must find, and must not.
#pragma once

namespace kvasir::simt_test {

using Kernel = void (*)(const float* in, float* out);

// What out must be; otherwise the finding is "values".
enum class Result { anything, reversed, zeros };

// in [threads a block, at least] is initialised, out [threads a block] is not.
struct Planted {
  const char* name;
  const char* finding;  // null: none; "a|b": one of them
  Kernel kernel;
  int blocks = 1;
  int shared_bytes = 256;
  Result result = Result::anything;
  int threads = 64;
  int floats = 64;    // of in
  int registers = 0;  // of a thread at first; 0: as many as there are
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
// Those of compute capability 9.0: boxes, wgmma, registers that warps hand over.
extern const Planted kPlantedHopper[];
extern const int kPlantedHopperCount;
// Those of second operands with N along the row.
extern const Planted kPlantedAcross[];
extern const int kPlantedAcrossCount;

}  // namespace kvasir::simt_test
