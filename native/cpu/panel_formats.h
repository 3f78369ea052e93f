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

KVASIR_INLINE Bytes nibbles(Bytes v, bool high) { return mask_bytes(high ? KV_SIMD(srli_epi16)(v, 4) : v, 15); }

// 16 in every byte whose bit is set among the 16 bits at `half` of each lane's first 32.
#if KVASIR_NEON
KVASIR_INLINE Bytes fifth_bits(Bytes bits, int half) {
  const uint8x16_t which = vaddq_u8(uint8x16_t{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}, vdupq_n_u8(half * 2));
  const uint8x16_t spread = vqtbl1q_u8(vreinterpretq_u8_s8(bits), which);
  const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));
  return vreinterpretq_s8_u8(vandq_u8(vtstq_u8(spread, bit), vdupq_n_u8(16)));
}
#else
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
#endif

// Bit n of every byte moved to bit 4; the other bits are for the caller to clear.
KVASIR_INLINE Bytes bit_to_fifth(Bytes v, int n) {
  return n < 4 ? KV_SIMD(slli_epi16)(v, 4 - n) : KV_SIMD(srli_epi16)(v, n - 4);
}

// A block of kRows rows: w[g][h][j] holds values 16·h … of group g, vector j of four.
template <Dtype F>
using Unpacked = Bytes[BlockOf<F>::kGroups][2][4];

// Unpacks vector j, half h of all groups of a block. Values are unsigned (u), but those of q8_0 only for VNNI.
template <Dtype F>
KVASIR_INLINE void unpack(const uint8_t* block, int64_t stride, int h, int j, Unpacked<F>& w) {
  const uint8_t* p = block + j * stride;
  const int64_t s = 4 * stride;
  if constexpr (F == Dtype::q8_0) {
    w[0][h][j] = load_lanes(p + 2 + h * 16, s);
#if KVASIR_VNNI
    w[0][h][j] ^= KV_SIMD(set1_epi8)(char(0x80));
#endif
  } else if constexpr (F == Dtype::q4_0 || F == Dtype::q4_1) {
    w[0][h][j] = nibbles(load_lanes(p + (F == Dtype::q4_0 ? 2 : 4), s), h);
  } else if constexpr (F == Dtype::q5_0 || F == Dtype::q5_1) {
    const uint8_t* bits = p + (F == Dtype::q5_0 ? 2 : 4);
    w[0][h][j] = nibbles(load_lanes(bits + 4, s), h) | fifth_bits(load_lanes(bits, s), h);
  } else if constexpr (F == Dtype::q4_k) {
    KVASIR_UNROLL
    for (int g = 0; g < 8; g += 2) {
      const Bytes low = load_lanes(p + 16 + g * 16 + h * 16, s);
      w[g][h][j] = nibbles(low, false);
      w[g + 1][h][j] = nibbles(low, true);
    }
  } else if constexpr (F == Dtype::q5_k) {
    const Bytes high = load_lanes(p + 16 + h * 16, s);
    KVASIR_UNROLL
    for (int g = 0; g < 8; g += 2) {
      const Bytes low = load_lanes(p + 48 + g * 16 + h * 16, s);
      w[g][h][j] = nibbles(low, false) | mask_bytes(bit_to_fifth(high, g), 16);
      w[g + 1][h][j] = nibbles(low, true) | mask_bytes(bit_to_fifth(high, g + 1), 16);
    }
  } else {
    static_assert(F == Dtype::q6_k);
    KVASIR_UNROLL
    for (int g = 0; g < 8; g += 4) {
      const Bytes first = load_lanes(p + g * 16 + h * 16, s);
      const Bytes second = load_lanes(p + g * 16 + 32 + h * 16, s);
      const Bytes high = load_lanes(p + 128 + g * 8 + h * 16, s);
      w[g][h][j] = nibbles(first, false) | KV_SIMD(slli_epi16)(mask_bytes(high, 0x03), 4);
      w[g + 1][h][j] = nibbles(second, false) | KV_SIMD(slli_epi16)(mask_bytes(high, 0x0c), 2);
      w[g + 2][h][j] = nibbles(first, true) | mask_bytes(high, 0x30);
      w[g + 3][h][j] = nibbles(second, true) | KV_SIMD(srli_epi16)(mask_bytes(high, 0xc0), 2);
    }
  }
}

template <Dtype F>
KVASIR_INLINE void unpack_block(const uint8_t* block, int64_t stride, Unpacked<F>& w) {
  KVASIR_UNROLL
  for (int h = 0; h < 2; ++h) {
    KVASIR_UNROLL
    for (int j = 0; j < 4; ++j) unpack<F>(block, stride, h, j, w);
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
