// How matrices lie in a card's memory: in panels of 16 rows, each shuffled so that a lane of a warp reads what it feeds to
// mma with one load of 16 bytes. Written once, when a model is loaded, from the bytes of the file.
//
// A panel has four sections, each along K. A group is 32 values of a row; a span is two groups, the last one may be half
// empty. Lane 4·g + t holds rows g and g + 8, columns 4t… and 16 + 4t… of a group: registers a0 (row g), a1 (row g + 8),
// a2 (row g, + 16), a3 (row g + 8, + 16), the first operand of mma m16n8k32.
//
//   quants   a span: q8_0  [2 groups][32 lanes] 16 bytes a0 a1 a2 a3
//                    else  [32 lanes][2 groups] 8 bytes: low nibbles a0, high a1; low a2, high a3
//   high     a span: q5_*  [32 lanes] u32, bit 8i + 4·group + r: the fifth bit of byte i of register r
//                    q6_k  [32 lanes][2 groups] u32, bits 8i + 2r…: the upper two
//   scales   a span: 2 groups × 8 rows g:
//                    q8_0, q4_0, q5_0  u32 of f16 d[g], d[g + 8]
//                    q4_1, q5_1        u64 of f16 d[g], d[g + 8], m[g], m[g + 8]
//                    q4_k, q5_k        u32 of u8 scale[g], scale[g + 8], min[g], min[g + 8]
//                    q6_k              u32 of s8 scale[g], scale[g + 8] of the first 16, then of the second 16
//   supers   256 columns: 8 rows g: q4_k, q5_k  u64 of f16 d[g], d[g + 8], dmin[g], dmin[g + 8]
//                                   q6_k        u32 of f16 d[g], d[g + 8]
//
// f32, f16 and bf16 stay rows; all matrices are filled up with zeros to whole panels.
#pragma once

#include <cstdint>

#include "native/base/host_device.h"
#include "native/ops/rows.h"

namespace kvasir::cuda {

constexpr int32_t kPanelRows = 16;

// Offsets of the sections of a panel, and its bytes.
struct PanelShape {
  int32_t quants, high, scales, supers;  // bytes of a span (supers: of 256 columns)
  int64_t high_at, scales_at, supers_at, bytes;
};

KV_HOST_DEVICE constexpr PanelShape panel_shape(Dtype dtype, int64_t cols) {
  PanelShape s{};
  const int64_t spans = (cols + 63) / 64, blocks = (cols + 255) / 256;
  const bool five = dtype == Dtype::q5_0 || dtype == Dtype::q5_1 || dtype == Dtype::q5_k;
  const bool minimum = dtype == Dtype::q4_1 || dtype == Dtype::q5_1;
  s.quants = dtype == Dtype::q8_0 ? 1024 : 512;
  s.high = five ? 128 : dtype == Dtype::q6_k ? 256 : 0;
  s.scales = minimum ? 128 : 64;
  s.supers = dtype == Dtype::q4_k || dtype == Dtype::q5_k ? 64 : dtype == Dtype::q6_k ? 32 : 0;
  s.high_at = spans * s.quants;
  s.scales_at = s.high_at + spans * s.high;
  s.supers_at = s.scales_at + spans * s.scales;
  s.bytes = (s.supers_at + blocks * s.supers + 63) / 64 * 64;
  return s;
}

constexpr int64_t panels_of(int64_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }

// Bytes of one panel, and of a whole matrix in a card's memory.
int64_t panel_bytes(Dtype dtype, int64_t cols);
int64_t packed_bytes(Dtype dtype, int64_t rows, int64_t cols);

// Writes panels [first, end) of `from` (bytes as in the file, in this process's memory) to `out`, panel_bytes each. Panels
// do not depend on one another: threads may share them out, and a large matrix may go piece by piece.
void pack_panels(const Weight& from, int64_t first, int64_t end, uint8_t* out);

}  // namespace kvasir::cuda
