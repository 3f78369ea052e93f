// Unpacking of weights into panels. It costs 3 to 6 % of the multiplication from a hundred tokens on, which is why the
// file is never repacked.

#include "native/cpu/panel.h"

#if KVASIR_VECTORS

#include "native/cpu/panel_formats.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

KVASIR_INLINE void store(uint8_t* p, Bytes v) { memcpy(p, &v, sizeof v); }

#if KVASIR_ISA_i8mm
// Two rows of eight values fill a register, as smmla reads them.
template <Dtype F>
KVASIR_INLINE void store_half(uint8_t* record, int h, const Bytes* v) {
  KVASIR_UNROLL
  for (int pair = 0; pair < 2; ++pair) {
    uint8_t* data = record + h * 2 * kPanelRows * 8 + pair * 16;
    store(data, KV_SIMD(unpacklo_epi64)(v[2 * pair], v[2 * pair + 1]));
    store(data + kPanelRows * 8, KV_SIMD(unpackhi_epi64)(v[2 * pair], v[2 * pair + 1]));
  }
}
#else
// Four consecutive values of each of kRows rows: as they are, or as two rows of pairs of int16.
template <Dtype F>
KVASIR_INLINE void store_quads(uint8_t* data, int quad, Bytes v) {
#if !KVASIR_NEON
  if constexpr (is_wide(F)) {
    KVASIR_UNROLL
    for (int pair = 0; pair < 2; ++pair) {
      // Each byte becomes the high one of 16 bits, then the shift extends its sign.
      const __m128i spread = _mm_add_epi8(_mm_set_epi32(0x0d800c80, 0x09800880, 0x05800480, 0x01800080),
                                          _mm_set1_epi16(pair ? 0x0200 : 0));
      const Bytes wide = KV_SIMD(srai_epi16)(KV_SIMD(shuffle_epi8)(v, splat16(&spread)), 8);
      store(data + (2 * quad + pair) * kPanelRows * 4, wide);
    }
    return;
  }
#endif
  store(data + quad * kPanelRows * 4, v);
}

// Half a group of kRows rows, as unpack() leaves it, in the order of the tiles.
template <Dtype F>
KVASIR_INLINE void store_half(uint8_t* record, int h, const Bytes* v) {
  Bytes quads[4];
  transpose_lanes(v, quads);
  KVASIR_UNROLL
  for (int j = 0; j < 4; ++j) store_quads<F>(record, h * 4 + j, quads[j]);
}
#endif

template <Dtype F>
void fill(const uint8_t* row, int64_t stride, int64_t blocks, int32_t lane, uint8_t* panel) {
  constexpr int kGroups = BlockOf<F>::kGroups;
  constexpr int64_t kRecord = panel_record_bytes(F);
  uint8_t* record = panel + lane * kPanelBytesTogether;
  for (int64_t b = 0; b < blocks; ++b, row += BlockOf<F>::kBytes) {
    Floats d[kGroups], e[kGroups];
    unpack_scales<F>(row, stride, d, e);
    Unpacked<F> w;
    unpack_block<F>(row, stride, w);
    for (int g = 0; g < kGroups; ++g, record += kRecord, panel += kRecord) {
      KVASIR_UNROLL
      for (int h = 0; h < 2; ++h) {
        store_half<F>(record, h, w[g][h]);
      }
      float* scales = reinterpret_cast<float*>(panel + panel_data_bytes(F)) + lane;
      KV_SIMD(storeu_ps)(scales, d[g]);
      if constexpr (format_of(F).minimum || format_of(F).halves) KV_SIMD(storeu_ps)(scales + kPanelRows, e[g]);
    }
  }
}

template <Dtype F>
void fill_strip(const Weight& w, int32_t first, int64_t group, int64_t groups, int32_t lane, uint8_t* panel) {
  constexpr int kGroups = BlockOf<F>::kGroups;
  for (int32_t r = 0; r < kStrip; r += kRows) {
    const uint8_t* row = w.data + (first + r) * w.row_bytes + group / kGroups * BlockOf<F>::kBytes;
    fill<F>(row, w.row_bytes, groups / kGroups, lane + r, panel);
  }
}

}  // namespace

void fill_panel(const Weight& w, int32_t first, int64_t group, int64_t groups, int32_t lane, uint8_t* panel) {
  switch (w.dtype) {
    case Dtype::q4_0:
      return fill_strip<Dtype::q4_0>(w, first, group, groups, lane, panel);
    case Dtype::q4_1:
      return fill_strip<Dtype::q4_1>(w, first, group, groups, lane, panel);
    case Dtype::q5_0:
      return fill_strip<Dtype::q5_0>(w, first, group, groups, lane, panel);
    case Dtype::q5_1:
      return fill_strip<Dtype::q5_1>(w, first, group, groups, lane, panel);
    case Dtype::q8_0:
      return fill_strip<Dtype::q8_0>(w, first, group, groups, lane, panel);
    case Dtype::q4_k:
      return fill_strip<Dtype::q4_k>(w, first, group, groups, lane, panel);
    case Dtype::q5_k:
      return fill_strip<Dtype::q5_k>(w, first, group, groups, lane, panel);
    default:
      return fill_strip<Dtype::q6_k>(w, first, group, groups, lane, panel);
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA

#endif
