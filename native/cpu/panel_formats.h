// Unpacking of the quantised formats (ggml's block layouts, native/base/dtype.h), kRows rows at a time.
#pragma once

#include "native/cpu/linear_parts.h"
#include "native/cpu/panel_lanes.h"

namespace kvasir::cpu::KVASIR_ISA {

template <Dtype F>
struct BlockOf {
  static constexpr int kBytes = block_of(F).bytes;
  static constexpr int kGroups = block_of(F).values / kGroup;
};

KVASIR_INLINE Bytes mask_bytes(Bytes v, int mask) { return v & KV_SIMD(set1_epi8)(char(mask)); }

// Bits n … n + 7 of every 16; callers mask what they want of each byte.
KVASIR_INLINE Bytes shift_right(Bytes v, int n) { return KV_SIMD(srl_epi16)(v, _mm_cvtsi32_si128(n)); }

KVASIR_INLINE Bytes nibbles(Bytes v, bool high) { return mask_bytes(high ? KV_SIMD(srli_epi16)(v, 4) : v, 15); }

// 16 in every byte whose bit is set among the 16 bits at `half` of each lane's first 32.
KVASIR_INLINE Bytes fifth_bits(Bytes bits, int half) {
  const __m128i which = _mm_add_epi8(_mm_set_epi64x(0x0101010101010101, 0), _mm_set1_epi8(char(half * 2)));
  const __m128i bit = _mm_set1_epi64x(int64_t(0x8040201008040201));
#if defined(__AVX512VNNI__)
  const Bytes spread = _mm512_shuffle_epi8(bits, _mm512_broadcast_i32x4(which));
  return _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(spread, _mm512_broadcast_i32x4(bit)), _mm512_set1_epi8(16));
#else
  const Bytes spread = _mm256_shuffle_epi8(bits, _mm256_broadcastsi128_si256(which));
  const Bytes bits_of_byte = _mm256_broadcastsi128_si256(bit);
  return mask_bytes(_mm256_cmpeq_epi8(spread & bits_of_byte, bits_of_byte), 16);
#endif
}

// Values 16·half … of group g of a block: vector j of four. Unsigned (u), except that AVX2 keeps q8_0 signed, having
// no product of eight unsigned bits that cannot overflow.
template <Dtype F>
KVASIR_INLINE Bytes unpack(const uint8_t* block, int64_t stride, int j, int g, int half) {
  const uint8_t* p = block + j * stride;
  const int64_t s = 4 * stride;
  if constexpr (F == Dtype::q8_0) {
    const Bytes v = load_lanes(p + 2 + half * 16, s);
#if defined(__AVX512VNNI__)
    return v ^ _mm512_set1_epi8(char(0x80));
#else
    return v;
#endif
  } else if constexpr (F == Dtype::q4_0 || F == Dtype::q4_1) {
    return nibbles(load_lanes(p + (F == Dtype::q4_0 ? 2 : 4), s), half);
  } else if constexpr (F == Dtype::q5_0 || F == Dtype::q5_1) {
    const uint8_t* bits = p + (F == Dtype::q5_0 ? 2 : 4);
    return nibbles(load_lanes(bits + 4, s), half) | fifth_bits(load_lanes(bits, s), half);
  } else if constexpr (F == Dtype::q4_k || F == Dtype::q5_k) {
    const int64_t low = (F == Dtype::q4_k ? 16 : 48) + g / 2 * 32 + half * 16;
    const Bytes v = mask_bytes(shift_right(load_lanes(p + low, s), g % 2 * 4), 15);
    if constexpr (F == Dtype::q4_k) return v;
    const Bytes high = mask_bytes(shift_right(load_lanes(p + 16 + half * 16, s), g), 1);
    return v | KV_SIMD(slli_epi16)(high, 4);
  } else {
    static_assert(F == Dtype::q6_k);
    const int64_t low = g / 4 * 64 + g % 2 * 32 + half * 16;
    const Bytes v = mask_bytes(shift_right(load_lanes(p + low, s), g % 4 / 2 * 4), 15);
    const Bytes high = mask_bytes(shift_right(load_lanes(p + 128 + g / 4 * 32 + half * 16, s), g % 4 * 2), 3);
    return v | KV_SIMD(slli_epi16)(high, 4);
  }
}

KVASIR_INLINE Floats to_floats(Bytes v) { return KV_SIMD(cvtepi32_ps)(v); }

// d of every group of a block, and e: the minimum m, or the second half's d, or nothing.
template <Dtype F>
KVASIR_INLINE void unpack_scales(const uint8_t* block, int64_t stride, Floats* d, Floats* e) {
  const auto byte = [](Bytes v, int i) { return to_floats(KV_SIMD(srli_epi32)(v, 8 * i) & KV_SIMD(set1_epi32)(255)); };
  if constexpr (F == Dtype::q6_k) {
    // d is the block's last two bytes, so the word that ends there is read.
    const Floats scale = halves_to_floats(KV_SIMD(srli_epi32)(gather_rows(block + 206, stride), 16));
    KVASIR_UNROLL
    for (int word = 0; word < 4; ++word) {
      const Bytes v = gather_rows(block + 192 + word * 4, stride);
      Floats factor[4];
      KVASIR_UNROLL
      for (int i = 0; i < 4; ++i) {
        factor[i] = to_floats(KV_SIMD(srai_epi32)(KV_SIMD(slli_epi32)(v, 24 - 8 * i), 24));
      }
      d[2 * word] = KV_SIMD(mul_ps)(scale, factor[0]);
      e[2 * word] = KV_SIMD(mul_ps)(scale, factor[1]);
      d[2 * word + 1] = KV_SIMD(mul_ps)(scale, factor[2]);
      e[2 * word + 1] = KV_SIMD(mul_ps)(scale, factor[3]);
    }
    return;
  }
  const Bytes head = gather_rows(block, stride);
  const Floats scale = halves_to_floats(head);
  const Floats minimum = halves_to_floats(KV_SIMD(srli_epi32)(head, 16));
  if constexpr (BlockOf<F>::kGroups == 1) {
    d[0] = scale;
    if constexpr (format_of(F).minimum) e[0] = minimum;
  } else {
    const Floats negative = KV_SIMD(xor_ps)(minimum, KV_SIMD(set1_ps)(-0.0f));
    const Bytes a = gather_rows(block + 4, stride), b = gather_rows(block + 8, stride),
                c = gather_rows(block + 12, stride);
    const Bytes six = KV_SIMD(set1_epi8)(0x3f), four = KV_SIMD(set1_epi8)(0x0f), two = KV_SIMD(set1_epi8)(0x30);
    const Bytes scales[2] = {a & six, (c & four) | (KV_SIMD(srli_epi32)(a, 2) & two)};
    const Bytes mins[2] = {b & six, (KV_SIMD(srli_epi32)(c, 4) & four) | (KV_SIMD(srli_epi32)(b, 2) & two)};
    KVASIR_UNROLL
    for (int g = 0; g < 8; ++g) {
      d[g] = KV_SIMD(mul_ps)(scale, byte(scales[g / 4], g % 4));
      e[g] = KV_SIMD(mul_ps)(negative, byte(mins[g / 4], g % 4));
    }
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
