// One function a format: 32 or 256 values to a block of bytes. Layouts are those of native/formats/dequantize.cc.
#include "native/formats/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "native/formats/by_format.h"
#include "native/formats/fit.h"
#include "native/formats/half.h"
#include "native/formats/k_scales.h"

namespace kvasir {
namespace {

template <typename T>
void store(uint8_t* bytes, T value) {
  std::memcpy(bytes, &value, sizeof value);
}

// Stores the nearest finite f16 and returns the value that a reader will see.
float store_half(uint8_t* bytes, float value) {
  const uint16_t half = f32_to_f16(std::clamp(value, -65504.0f, 65504.0f));
  store(bytes, half);
  return f16_to_f32(half);
}

// 1 / scale, with which a group whose scale is zero (or underflowed to it) gets level 0 throughout.
float inverse_of(float scale) {
  const float inverse = 1.0f / scale;
  return std::isfinite(inverse) ? inverse : 0.0f;
}

void f32(const float* x, uint8_t* block) { store(block, *x); }
void f16(const float* x, uint8_t* block) { store(block, f32_to_f16(*x)); }
void bf16(const float* x, uint8_t* block) { store(block, f32_to_bf16(*x)); }

void q8_0(const float* x, uint8_t* block) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(x[i]));
  const float inverse = inverse_of(store_half(block, largest / 127.0f));
  for (int i = 0; i < 32; ++i) store(block + 2 + i, static_cast<int8_t>(nearest_level(x[i] * inverse, -127, 127)));
}

// Writes 32 levels of 4 bits, or of 5 with the fifth ones in the 32 bits at `high`.
void store_levels(const int* q, uint8_t* low, uint8_t* high) {
  uint32_t fifth = 0;
  for (int i = 0; i < 32; ++i) fifth |= static_cast<uint32_t>(q[i] >> 4 & 1) << i;
  for (int i = 0; i < 16; ++i) low[i] = static_cast<uint8_t>((q[i] & 15) | (q[i + 16] & 15) << 4);
  if (high) store(high, fifth);
}

void symmetric(const float* x, float half_range, uint8_t* block, uint8_t* low, uint8_t* high) {
  const float inverse = inverse_of(store_half(block, fit_symmetric(x, 32, -half_range, half_range - 1)));
  int q[32];
  for (int i = 0; i < 32; ++i) {
    q[i] = static_cast<int>(nearest_level(x[i] * inverse, -half_range, half_range - 1) + half_range);
  }
  store_levels(q, low, high);
}

void affine(const float* x, float top, uint8_t* block, uint8_t* low, uint8_t* high) {
  const Affine fit = fit_affine(x, 32, top, false);
  const float inverse = inverse_of(store_half(block, fit.scale));
  const float min = store_half(block + 2, fit.min);
  int q[32];
  for (int i = 0; i < 32; ++i) q[i] = static_cast<int>(nearest_level((x[i] - min) * inverse, 0, top));
  store_levels(q, low, high);
}

void q4_0(const float* x, uint8_t* block) { symmetric(x, 8, block, block + 2, nullptr); }
void q5_0(const float* x, uint8_t* block) { symmetric(x, 16, block, block + 6, block + 2); }
void q4_1(const float* x, uint8_t* block) { affine(x, 15, block, block + 4, nullptr); }
void q5_1(const float* x, uint8_t* block) { affine(x, 31, block, block + 8, block + 4); }

void q45_k(const float* x, float top, uint8_t* block, uint8_t* high, uint8_t* low) {
  Affine fit[8];
  float largest_scale = 0;
  float largest_min = 0;
  for (int group = 0; group < 8; ++group) {
    fit[group] = fit_affine(x + group * 32, 32, top, true);
    largest_scale = std::max(largest_scale, fit[group].scale);
    largest_min = std::max(largest_min, -fit[group].min);
  }
  const float d = store_half(block, largest_scale / 63.0f);
  const float dmin = store_half(block + 2, largest_min / 63.0f);

  KScales k;
  for (int group = 0; group < 8; ++group) {
    k.scale[group] = static_cast<uint8_t>(nearest_level(fit[group].scale * inverse_of(d), 0, 63));
    k.min[group] = static_cast<uint8_t>(nearest_level(-fit[group].min * inverse_of(dmin), 0, 63));
  }
  pack_scales(k, block + 4);

  if (high) std::memset(high, 0, 32);
  std::memset(low, 0, 128);
  for (int group = 0; group < 8; ++group) {
    const float inverse = inverse_of(d * static_cast<float>(k.scale[group]));
    const float min = dmin * static_cast<float>(k.min[group]);
    for (int i = 0; i < 32; ++i) {
      const int q = static_cast<int>(nearest_level((x[group * 32 + i] + min) * inverse, 0, top));
      low[group / 2 * 32 + i] |= static_cast<uint8_t>((q & 15) << group % 2 * 4);
      if (high) high[i] |= static_cast<uint8_t>(q >> 4 << group);
    }
  }
}

void q4_k(const float* x, uint8_t* block) { q45_k(x, 15, block, nullptr, block + 16); }
void q5_k(const float* x, uint8_t* block) { q45_k(x, 31, block, block + 16, block + 48); }

void q6_k(const float* x, uint8_t* block) {
  float fit[16];
  float extreme = 0;
  for (int group = 0; group < 16; ++group) {
    fit[group] = fit_symmetric(x + group * 16, 16, -32, 31);
    if (std::fabs(fit[group]) > std::fabs(extreme)) extreme = fit[group];
  }
  const float d = store_half(block + 208, extreme / -128.0f);
  int8_t scale[16];
  for (int group = 0; group < 16; ++group) {
    scale[group] = static_cast<int8_t>(nearest_level(fit[group] * inverse_of(d), -128, 127));
  }
  std::memcpy(block + 192, scale, sizeof scale);

  std::memset(block, 0, 192);
  for (int i = 0; i < 256; ++i) {
    const float inverse = inverse_of(d * static_cast<float>(scale[i / 16]));
    const int q = static_cast<int>(nearest_level(x[i] * inverse, -32, 31) + 32);
    const int half = i / 128, run = i / 32 % 4, column = i % 32;
    block[half * 64 + run % 2 * 32 + column] |= static_cast<uint8_t>((q & 15) << run / 2 * 4);
    block[128 + half * 32 + column] |= static_cast<uint8_t>(q >> 4 << run * 2);
  }
}

using Function = void (*)(const float* x, uint8_t* block);
constexpr Function kFunctions[kWeightFormats] = {f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k};

}  // namespace

void quantize_row(Dtype dtype, const float* x, uint8_t* row, int64_t n) {
  each_block(kFunctions, dtype, n, "quantize_row",
             [&](Function block, int64_t value, int64_t byte) { block(x + value, row + byte); });
}

}  // namespace kvasir
