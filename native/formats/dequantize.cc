// One function a format: a block of bytes to its 32 or 256 values. Layouts are those of GGUF files.
#include "native/formats/dequantize.h"

#include <cstring>

#include "native/formats/by_format.h"
#include "native/formats/half.h"
#include "native/formats/k_scales.h"

namespace kvasir {
namespace {

template <typename T>
T load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

float half_at(const uint8_t* bytes) { return f16_to_f32(load<uint16_t>(bytes)); }

void f32(const uint8_t* block, float* y) { *y = load<float>(block); }
void f16(const uint8_t* block, float* y) { *y = half_at(block); }
void bf16(const uint8_t* block, float* y) { *y = bf16_to_f32(load<uint16_t>(block)); }

void q8_0(const uint8_t* block, float* y) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(static_cast<int8_t>(block[2 + i]));
}

// The low nibbles of 16 bytes are values 0…15, the high nibbles are values 16…31.
int nibble(const uint8_t* bytes, int i) { return i < 16 ? bytes[i] & 15 : bytes[i - 16] >> 4; }

void q4_0(const uint8_t* block, float* y) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(nibble(block + 2, i) - 8);
}

void q4_1(const uint8_t* block, float* y) {
  const float d = half_at(block);
  const float m = half_at(block + 2);
  for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(nibble(block + 4, i)) + m;
}

void q5_0(const uint8_t* block, float* y) {
  const float d = half_at(block);
  const auto high = load<uint32_t>(block + 2);
  for (int i = 0; i < 32; ++i) {
    const int q = nibble(block + 6, i) | static_cast<int>(high >> i & 1) << 4;
    y[i] = d * static_cast<float>(q - 16);
  }
}

void q5_1(const uint8_t* block, float* y) {
  const float d = half_at(block);
  const float m = half_at(block + 2);
  const auto high = load<uint32_t>(block + 4);
  for (int i = 0; i < 32; ++i) {
    const int q = nibble(block + 8, i) | static_cast<int>(high >> i & 1) << 4;
    y[i] = d * static_cast<float>(q) + m;
  }
}

// Eight groups of 32. Groups 2j and 2j + 1 are the low and high nibbles of bytes 32j…32j + 31 of `low`; bit g of
// high[i] is the fifth bit of value i of group g.
void q45_k(const uint8_t* block, const uint8_t* high, const uint8_t* low, float* y) {
  const float d = half_at(block);
  const float dmin = half_at(block + 2);
  const KScales k = unpack_scales(block + 4);
  for (int group = 0; group < 8; ++group) {
    const float scale = d * static_cast<float>(k.scale[group]);
    const float min = dmin * static_cast<float>(k.min[group]);
    for (int i = 0; i < 32; ++i) {
      int q = low[group / 2 * 32 + i] >> group % 2 * 4 & 15;
      if (high) q |= (high[i] >> group & 1) << 4;
      y[group * 32 + i] = scale * static_cast<float>(q) - min;
    }
  }
}

void q4_k(const uint8_t* block, float* y) { q45_k(block, nullptr, block + 16, y); }
void q5_k(const uint8_t* block, float* y) { q45_k(block, block + 16, block + 48, y); }

// Two halves of 128 values, four runs of 32 each: runs 0 and 1 are the low nibbles of 32 bytes each, runs 2 and 3 the
// high nibbles of the same bytes; bits 2r and 2r + 1 of high[i] belong to value i of run r. A scale rules 16 values.
void q6_k(const uint8_t* block, float* y) {
  const float d = half_at(block + 208);
  for (int half = 0; half < 2; ++half) {
    const uint8_t* low = block + half * 64;
    const uint8_t* high = block + 128 + half * 32;
    for (int run = 0; run < 4; ++run) {
      for (int i = 0; i < 32; ++i) {
        const int q = (low[run % 2 * 32 + i] >> run / 2 * 4 & 15) | (high[i] >> run * 2 & 3) << 4;
        const auto scale = static_cast<int8_t>(block[192 + half * 8 + run * 2 + i / 16]);
        y[half * 128 + run * 32 + i] = d * static_cast<float>(scale) * static_cast<float>(q - 32);
      }
    }
  }
}

using Function = void (*)(const uint8_t* block, float* y);
constexpr Function kFunctions[kWeightFormats] = {f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k};

}  // namespace

void dequantize_row(Dtype dtype, const uint8_t* row, float* out, int64_t n) {
  each_block(kFunctions, dtype, n, "dequantize_row",
             [&](Function block, int64_t value, int64_t byte) { block(row + byte, out + value); });
}

}  // namespace kvasir
