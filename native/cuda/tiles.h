// What kernels and their grids must agree on.
#pragma once

#include <cstdint>

#include "native/base/host_device.h"

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
constexpr uint32_t narrow_shared_bytes(bool second_sums) {
  return 2 * 16 * ((second_sums ? 256 : 128) + 32) * sizeof(float);
}

// A block of linear by wgmma: eight warps with one or two panels each, by 64 tokens; a stage has 128 columns. A panel's part
// of a stage is what pack.h says of two spans.
constexpr int32_t kWgmmaWarps = 8, kWgmmaTokens = 64;
constexpr uint32_t kWgmmaThreads = kWgmmaWarps * 32 + 128;
KV_HOST_DEVICE constexpr uint32_t wgmma_stage_bytes(uint32_t panel_part, uint32_t panels) {
  return (kWgmmaTokens * (128 + 16 + 16) + panels * panel_part + 1023) / 1024 * 1024;
}
KV_HOST_DEVICE constexpr int32_t wgmma_stages(uint32_t stage_bytes) {
  const int32_t fit = static_cast<int32_t>((224 << 10) / stage_bytes);
  return fit < 6 ? fit : 6;
}

// A block of linear with float weights: 128 threads, 16 for a panel and a token, of which it takes up to 8.
constexpr uint32_t kFloatThreads = 128;
KV_HOST_DEVICE constexpr uint32_t float_tokens(int32_t rows) {
  return rows >= 8 ? 8 : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
}
KV_HOST_DEVICE constexpr uint32_t float_panels(int32_t rows) { return kFloatThreads / 16 / float_tokens(rows); }

// A block of linear by wgmma with 16-bit weights: warpgroups that multiply, outputs, tokens, stages of 64 columns.
struct HalfTile {
  int32_t groups, outputs, tokens, stages;
};
constexpr HalfTile kSmallHalfTile = {1, 64, 64, 6}, kLargeHalfTile = {2, 256, 128, 4};
KV_HOST_DEVICE constexpr uint32_t half_stage_bytes(HalfTile tile) { return (tile.outputs + tile.tokens) * 128; }
KV_HOST_DEVICE constexpr uint32_t half_threads(HalfTile tile) { return tile.groups * 128 + 128; }
constexpr uint32_t half_shared_bytes(HalfTile tile) { return tile.stages * (half_stage_bytes(tile) + 16); }

constexpr int32_t kDecodeWarps = 8;  // query heads of one KV head that share a block
// The query and the weights of a page, of one warp.
constexpr uint32_t kDecodeSharedBytes = (256 + 32) * sizeof(float);
// A split's part of one token and head in the workspace: maximum and sum, padding, and from kPartHeader on the weighted values.
constexpr int32_t kPartHeader = 16;
KV_HOST_DEVICE constexpr int64_t attention_part_floats(int64_t head_dim) {
  return kPartHeader + (head_dim + 15) / 16 * 16;
}

// Attention of many tokens: rows (heads of tokens) of a block, pages in flight, and the layout of shared memory.
constexpr int32_t kPrefillRows = 64, kPrefillStages = 3;
constexpr int32_t kDecodeTokens =
    4;  // a sequence with more goes by the prefill kernel, where there is one for its heads
constexpr int32_t kMostPrefillDim = 128;
constexpr uint32_t prefill_dim(int32_t head_dim) { return head_dim <= 64 ? 64 : 128; }  // of the kernel
constexpr uint32_t prefill_shared_bytes(uint32_t dim) {
  const uint32_t page = dim * 32 + 16 * ((dim + 63) / 64 * 128) + 256;
  return kPrefillStages * page + dim / 2 * 128 * 4 + kPrefillRows * (dim + 16) + kPrefillRows * 4;
}

// Attention by wgmma: warpgroups of 64 rows, two for prompts and one for sequences with few tokens, and one that brings blocks
// of 64 tokens, f16 keys and values, through a ring.
constexpr int32_t kBlockTokens = 64, kPrefillGroups = 2;
KV_HOST_DEVICE constexpr uint32_t block_bytes(int32_t head_dim) { return 2 * kBlockTokens * head_dim * 2; }
KV_HOST_DEVICE constexpr int32_t block_stages(int32_t groups) { return groups == 1 ? 3 : 4; }
KV_HOST_DEVICE constexpr uint32_t block_ring_bytes(int32_t head_dim, int32_t groups) {
  return block_stages(groups) * (block_bytes(head_dim) + 16);
}

constexpr uint32_t kSampleThreads = 512;
constexpr uint32_t kSampleSharedBytes = (256 * 8 + 512 / 32 + 2) * 8;  // bins, a value a warp, a result

}  // namespace kvasir::cuda

#define KVASIR_QUANTISED_FORMATS(X) X(q8_0) X(q4_0) X(q4_1) X(q5_0) X(q5_1) X(q4_k) X(q5_k) X(q6_k)
