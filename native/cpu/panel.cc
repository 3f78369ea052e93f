// Unpacking of weights into panels. It costs 3 to 6 % of the multiplication from a hundred tokens on, which is why the
// file is never repacked.

#include "native/cpu/panel.h"

#if KVASIR_VECTORS

#include "native/cpu/panel_formats.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

KVASIR_INLINE void store(uint8_t* p, Bytes v) { memcpy(p, &v, sizeof v); }

// 16 values of each of kRows rows, four vectors as unpack() leaves them, in the order of the tiles.
KVASIR_INLINE void arrange(const Bytes* v, Bytes* out) {
#if KVASIR_ISA_i8mm
  // Two rows of eight values fill a register, as smmla reads them.
  KVASIR_UNROLL
  for (int pair = 0; pair < 2; ++pair) {
    out[pair] = KV_SIMD(unpacklo_epi64)(v[2 * pair], v[2 * pair + 1]);
    out[2 + pair] = KV_SIMD(unpackhi_epi64)(v[2 * pair], v[2 * pair + 1]);
  }
#else
  transpose_lanes(v, out);
#endif
}

// Half a group, arranged.
template <Dtype F>
KVASIR_INLINE void store_half(uint8_t* record, int h, const Bytes* v) {
#if KVASIR_ISA_i8mm
  KVASIR_UNROLL
  for (int i = 0; i < 4; ++i) store(record + (h * 2 + i / 2) * kPanelRows * 8 + i % 2 * 16, v[i]);
#else
  KVASIR_UNROLL
  for (int j = 0; j < 4; ++j) {
    const int quad = h * 4 + j;
#if !KVASIR_NEON
    if constexpr (is_wide(F)) {  // two rows of pairs of int16
      KVASIR_UNROLL
      for (int pair = 0; pair < 2; ++pair) {
        // Each byte becomes the high one of 16 bits, then the shift extends its sign.
        const __m128i spread = _mm_add_epi8(_mm_set_epi32(0x0d800c80, 0x09800880, 0x05800480, 0x01800080),
                                            _mm_set1_epi16(pair ? 0x0200 : 0));
        const Bytes wide = KV_SIMD(srai_epi16)(KV_SIMD(shuffle_epi8)(v[j], splat16(&spread)), 8);
        store(record + (2 * quad + pair) * kPanelRows * 4, wide);
      }
      continue;
    }
#endif
    store(record + quad * kPanelRows * 4, v[j]);
  }
#endif
}

template <Dtype F>
KVASIR_INLINE void unpack_and_store(const uint8_t* block, int64_t stride, uint8_t* record) {
  constexpr int64_t kRecord = panel_record_bytes(F);
  if constexpr (F == Dtype::q4_0 || F == Dtype::q4_1 || F == Dtype::q4_k) {
    // Bytes of two values each are arranged once and then taken apart: halves of a group, or two groups.
    constexpr bool kSuper = F == Dtype::q4_k;
    constexpr int kHead = kSuper ? 16 : F == Dtype::q4_0 ? 2 : 4;
    for (int part = 0; part < BlockOf<F>::kGroups; ++part, block += 16) {
      Bytes raw[4], arranged[4], low[4], high[4];
      KVASIR_UNROLL
      for (int j = 0; j < 4; ++j) raw[j] = load_lanes(block + j * stride + kHead, 4 * stride);
      arrange(raw, arranged);
      KVASIR_UNROLL
      for (int j = 0; j < 4; ++j) low[j] = nibbles(arranged[j], false), high[j] = nibbles(arranged[j], true);
      uint8_t* first = record + (kSuper ? part / 2 * 2 * kRecord : 0);
      store_half<F>(first, kSuper ? part % 2 : 0, low);
      store_half<F>(first + (kSuper ? kRecord : 0), kSuper ? part % 2 : 1, high);
    }
  } else {
    Unpacked<F> w;
    unpack_block<F>(block, stride, w);
    for (int g = 0; g < BlockOf<F>::kGroups; ++g) {
      KVASIR_UNROLL
      for (int h = 0; h < 2; ++h) {
        Bytes arranged[4];
        arrange(w[g][h], arranged);
        store_half<F>(record + g * kRecord, h, arranged);
      }
    }
  }
}

template <Dtype F>
void fill(const uint8_t* row, int64_t stride, int64_t blocks, int32_t lane, uint8_t* panel) {
  constexpr int kGroups = BlockOf<F>::kGroups;
  constexpr int64_t kRecord = panel_record_bytes(F);
  for (int64_t b = 0; b < blocks; ++b, row += BlockOf<F>::kBytes) {
    Floats d[kGroups], e[kGroups];
    unpack_scales<F>(row, stride, d, e);
    unpack_and_store<F>(row, stride, panel + lane * kPanelBytesTogether);
    for (int g = 0; g < kGroups; ++g, panel += kRecord) {
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
