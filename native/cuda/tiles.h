// What kernels and their grids must agree on.
#pragma once

#include <cstdint>

namespace kvasir::cuda {

constexpr uint32_t kRowThreads = 128;
constexpr uint32_t kHeadWarps = 4;  // a warp to a head

// A block of linear with quantised weights: `warps` of `panels` of 16 outputs each, by `tokens`. In the narrow one all
// warps share a panel.
struct LinearTile {
  int32_t warps, panels, tokens;
};
constexpr LinearTile kNarrowTile = {8, 1, 8}, kWideTile = {4, 2, 64};
constexpr int32_t kWideStages = 4;
constexpr uint32_t kWideSharedBytes = kWideStages * kWideTile.tokens * (64 + 16);
constexpr uint32_t kNarrowSharedBytes = 2 * 16 * (2 * 128 + 2 * 16) * sizeof(float);
constexpr uint32_t kFloatTokens = 8;  // of a block with float weights: 16 outputs by so many tokens

constexpr int32_t kDecodeWarps = 8;  // query heads of one KV head that share a block
// The query and the weights of a page, of one warp.
constexpr uint32_t kDecodeSharedBytes = (256 + 32) * sizeof(float);
// A split's part of one token and head in the workspace: maximum and sum, padding, and the weighted values.
constexpr int64_t attention_part_floats(int64_t head_dim) { return 16 + (head_dim + 15) / 16 * 16; }

constexpr uint32_t kSampleThreads = 512;
constexpr uint32_t kSampleSharedBytes = (256 * 8 + 512 / 32 + 2) * 8;  // bins, a value a warp, a result

}  // namespace kvasir::cuda

#define KVASIR_QUANTISED_FORMATS(X) X(q8_0) X(q4_0) X(q4_1) X(q5_0) X(q5_1) X(q4_k) X(q5_k) X(q6_k)
