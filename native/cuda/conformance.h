// For bench/gpu: one warp for each wrapper of ptx.h, on random bits, so that what a card does can be held against what the
// emulator does, bit for bit.
#pragma once

#include <cstdint>

namespace kvasir::cuda {

constexpr int kConformanceWords = 8;  // in and out, of a lane
constexpr const char* kConformance[] = {
    "load16, store16",
    "ldmatrix_x4",
    "ldmatrix_x4_transposed",
    "mma_bf16 of integers",
    "mma_f16 of integers",
    "mma_s8",
    "mma_u8",
    "mma_s8_k16",
    "dot4, dot2",
    "permute",
    "from_f16",
    "to_f16",
    "pack_bf16, from_bf16",
    "copy_async16",
    "copy_async4",
    "shuffles",
    "ballot",
};
constexpr int kConformanceCases = sizeof kConformance / sizeof *kConformance;

// Grid (cases), blocks of a warp, kConformanceShared bytes.
struct Conformance {
  const uint32_t* in = nullptr;  // [cases, 32, kConformanceWords]
  uint32_t* out = nullptr;       // likewise
};
constexpr uint32_t kConformanceShared = 32 * kConformanceWords * 4;

}  // namespace kvasir::cuda
