// A panel: kPanelRows rows of a weight over some groups of 32, unpacked into cache in the order in which the tiles of
// scripts/make-tiles.cjs read it. A record a group:
//
//   u8 [8][kPanelRows][4]   (AVX2, q8_0: s16 [16][kPanelRows][2]; i8mm: u8 [4][kPanelRows][8])
//   f32 d[kPanelRows]       and, if the format has a minimum or halves, f32 e[kPanelRows]
#pragma once

#include "native/cpu/linear_parts.h"

namespace kvasir::cpu::KVASIR_ISA {

#if defined(__AVX512VNNI__)
constexpr int32_t kPanelRows = 32;
#else
constexpr int32_t kPanelRows = 16;
#endif

// Consecutive values of a row that lie together.
#if KVASIR_ISA_i8mm
constexpr int32_t kPanelBytesTogether = 8;
#else
constexpr int32_t kPanelBytesTogether = 4;
#endif

// Whether the tile multiplies 16-bit numbers: plain AVX2 has no product of 8 bits by 8 that cannot overflow.
#if defined(__AVX2__) && !KVASIR_VNNI
static constexpr bool is_wide(Dtype dtype) { return dtype == Dtype::q8_0; }
#else
static constexpr bool is_wide(Dtype) { return false; }
#endif

static constexpr int64_t panel_data_bytes(Dtype dtype) { return kPanelRows * kGroup * (is_wide(dtype) ? 2 : 1); }

static constexpr int64_t panel_record_bytes(Dtype dtype) {
  const bool two = format_of(dtype).minimum || format_of(dtype).halves;
  return panel_data_bytes(dtype) + kPanelRows * 4 * (two ? 2 : 1);
}

// Unpacks groups [group, group + groups) of the strip of kStrip rows from `first` on into rows lane… of the panel.
// `group` is the first of a block.
void fill_panel(const Weight& w, int32_t first, int64_t group, int64_t groups, int32_t lane, uint8_t* panel);

}  // namespace kvasir::cpu::KVASIR_ISA
