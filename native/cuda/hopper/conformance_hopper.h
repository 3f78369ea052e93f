// As native/cuda/conformance.h, for what compute capability 9.0 brings: a warpgroup for each case.
#pragma once

#include <cstdint>

#include "native/cuda/tensor_map.h"

namespace kvasir::cuda {

constexpr int kHopperWords = 64;  // out, of a thread
constexpr const char* kHopperConformance[] = {
    "load_box",
    "load_box, 32 bytes swizzled",
    "load_box, 64 bytes swizzled",
    "load_box, 128 bytes swizzled",
    "copy_bulk",
    "wgmma_s8, 64 columns",
    "wgmma_s8, 128 columns",
    "wgmma_s8 of shared memory",
    "wgmma_s8 that adds",
    "wgmma_bf16 of integers",
    "wgmma_bf16 of integers in shared memory",
    "wgmma_f16 of integers",
    "wgmma_f16 of integers, across 64 columns",
    "wgmma_f16 of integers, across 128 columns",
};
constexpr int kHopperCases = sizeof kHopperConformance / sizeof *kHopperConformance;

constexpr int kHopperRows = 128, kHopperCols = 128;  // of the matrix of bytes that all cases read
// The boxes of each of the first four cases: 64 rows, begun outside of the matrix.
constexpr int hopper_box_columns(int which) { return which == 0 ? 32 : 16 << which; }

// Grid (kHopperCases), blocks of 128 threads, kHopperShared bytes.
struct HopperConformance {
  const uint32_t* in = nullptr;  // [kHopperRows, kHopperCols] bytes
  uint32_t* out = nullptr;       // [cases, 128, kHopperWords]
  TensorMap box[4], all;         // all: [128, 128] bytes, 128 bytes swizzled
};
constexpr uint32_t kHopperShared = 2 * kHopperRows * kHopperCols + 16;

// `encode`: Boxes → TensorMap. `in` is the card's.
template <typename Encode>
HopperConformance hopper_conformance(const uint32_t* in, uint32_t* out, const Encode& encode) {
  HopperConformance op{in, out, {}, {}};
  for (int i = 0; i < 4; ++i)
    op.box[i] =
        encode(Boxes{in, 1, kHopperCols, kHopperRows, kHopperCols, hopper_box_columns(i), 64, static_cast<Swizzle>(i)});
  op.all = encode(Boxes{in, 1, kHopperCols, kHopperRows, kHopperCols, 128, 128, Swizzle::bytes128});
  return op;
}

}  // namespace kvasir::cuda
