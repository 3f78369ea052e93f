// linear without intrinsics: the whole of the baseline instruction set, and elsewhere the rows that are too few for a
// vector strip. It reads as the definition of the formats (ggml's quants) and of the arithmetic. A group is unpacked
// once for up to kTokens tokens.

#include <cstring>

#include "native/cpu/linear_half.h"
#include "native/cpu/linear_output.h"
#include "native/cpu/linear_parts.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

constexpr int kTokens = 8;

// One group of 32: the signed values (u − zero) and the scales of its two halves, and the minimum.
struct Group {
  int16_t w[kGroup];
  float d[2];
  float m;
};

uint32_t load_u32(const uint8_t* p) {
  uint32_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

void low_nibbles_first(const uint8_t* p, uint32_t high_bits, int32_t zero, int16_t* w) {
  for (int i = 0; i < 16; ++i) {
    w[i] = int16_t((p[i] & 15) + int32_t(high_bits >> i & 1) * 16 - zero);
    w[i + 16] = int16_t((p[i] >> 4) + int32_t(high_bits >> (i + 16) & 1) * 16 - zero);
  }
}

// The 6-bit scale and minimum of group g of 8, packed in 12 bytes.
void k_scales(const uint8_t* p, int g, int32_t* scale, int32_t* min) {
  if (g < 4) {
    *scale = p[g] & 63;
    *min = p[g + 4] & 63;
  } else {
    *scale = (p[g + 4] & 15) | (p[g - 4] >> 6) << 4;
    *min = (p[g + 4] >> 4) | (p[g] >> 6) << 4;
  }
}

// q4_k and q5_k, whose high bits (if any) lie before the nibbles.
void k_group(const uint8_t* block, int g, bool five, Group* out) {
  int32_t scale, min;
  k_scales(block + 4, g, &scale, &min);
  const uint8_t* high = block + 16;
  const uint8_t* low = block + (five ? 48 : 16) + g / 2 * 32;
  for (int i = 0; i < kGroup; ++i) {
    out->w[i] = int16_t((low[i] >> g % 2 * 4 & 15) + (five ? (high[i] >> g & 1) * 16 : 0));
  }
  out->d[0] = out->d[1] = half_to_float(block) * float(scale);
  out->m = -half_to_float(block + 2) * float(min);
}

void q6_k_group(const uint8_t* block, int g, Group* out) {
  const uint8_t* low = block + g / 4 * 64 + g % 2 * 32;
  const uint8_t* high = block + 128 + g / 4 * 32;
  const int j = g % 4;
  for (int i = 0; i < kGroup; ++i) {
    out->w[i] = int16_t(((low[i] >> j / 2 * 4 & 15) | (high[i] >> 2 * j & 3) << 4) - 32);
  }
  const float d = half_to_float(block + 208);
  out->d[0] = d * float(int8_t(block[192 + 2 * g]));
  out->d[1] = d * float(int8_t(block[193 + 2 * g]));
}

void load_group(Dtype dtype, const uint8_t* row, int32_t group, Group* out) {
  const uint8_t* block = row;
  switch (dtype) {
    case Dtype::q8_0:
      block += int64_t{group} * 34;
      for (int i = 0; i < kGroup; ++i) out->w[i] = int8_t(block[2 + i]);
      break;
    case Dtype::q4_0:
      block += int64_t{group} * 18;
      low_nibbles_first(block + 2, 0, 8, out->w);
      break;
    case Dtype::q4_1:
      block += int64_t{group} * 20;
      low_nibbles_first(block + 4, 0, 0, out->w);
      break;
    case Dtype::q5_0:
      block += int64_t{group} * 22;
      low_nibbles_first(block + 6, load_u32(block + 2), 16, out->w);
      break;
    case Dtype::q5_1:
      block += int64_t{group} * 24;
      low_nibbles_first(block + 8, load_u32(block + 4), 0, out->w);
      break;
    case Dtype::q4_k:
      return k_group(row + int64_t{group / 8} * 144, group % 8, false, out);
    case Dtype::q5_k:
      return k_group(row + int64_t{group / 8} * 176, group % 8, true, out);
    default:
      return q6_k_group(row + int64_t{group / 8} * 210, group % 8, out);
  }
  out->d[0] = out->d[1] = half_to_float(block);
  out->m = half_to_float(block + 2);  // meaningful only for formats with a minimum
}

using Short8 = int16_t __attribute__((vector_size(16)));
using Int4 = int32_t __attribute__((vector_size(16)));
using Char8 = int8_t __attribute__((vector_size(8)));

// Four partial sums of 16 products. Two of them fit 16 bits: 2 · 128 · 127 < 32768.
Int4 dot16(const int16_t* w, const int8_t* q) {
  Short8 w0, w1;
  Char8 q0, q1;
  memcpy(&w0, w, 16);
  memcpy(&w1, w + 8, 16);
  memcpy(&q0, q, 8);
  memcpy(&q1, q + 8, 8);
  const Short8 sums = w0 * __builtin_convertvector(q0, Short8) + w1 * __builtin_convertvector(q1, Short8);
  const Int4 pairs = reinterpret_cast<Int4>(sums);  // of vectors: the same bits
  return ((pairs << 16) >> 16) + (pairs >> 16);
}

float sum_of(Int4 v) { return float(v[0] + v[1] + v[2] + v[3]); }

// One row, tokens t … t + tokens − 1.
void quantised_row(const Linear& op, const Linear::Segment& segment, int32_t r, int64_t t, int tokens) {
  const Weight& w = segment.w;
  const Format format = format_of(w.dtype);
  float acc[kTokens] = {};
  for (int32_t g = 0; g < w.cols / kGroup; ++g) {
    Group group;
    load_group(w.dtype, w.data + r * w.row_bytes, g, &group);
    for (int i = 0; i < tokens; ++i) {
      const uint8_t* x = op.x.data + (t + i) * op.x.stride;
      const int8_t* q = reinterpret_cast<const int8_t*>(x) + g * kGroup;
      const float scale = reinterpret_cast<const float*>(x + w.cols)[g];
      const int32_t sum = reinterpret_cast<const int32_t*>(x + w.cols + w.cols / 8)[g];
      const Int4 first = dot16(group.w, q), second = dot16(group.w + 16, q + 16);
      if (format.halves) {
        acc[i] = __builtin_fmaf(sum_of(first), group.d[0] * scale, acc[i]);
        acc[i] = __builtin_fmaf(sum_of(second), group.d[1] * scale, acc[i]);
      } else {
        acc[i] = __builtin_fmaf(sum_of(first + second), group.d[0] * scale, acc[i]);
      }
      if (format.minimum) acc[i] = __builtin_fmaf(group.m, scale * float(sum), acc[i]);
    }
  }
  for (int i = 0; i < tokens; ++i) store_outputs(op, segment, t + i, r, &acc[i], 1);
}

void float_row(const Linear& op, const Linear::Segment& segment, int32_t r, int64_t t, int tokens) {
  const Weight& w = segment.w;
  float partial[kTokens][16] = {};
  for (int32_t k = 0; k < w.cols; k += 16) {
    const int count = k + 16 < w.cols ? 16 : w.cols - k;
    float weights[16];
    for (int j = 0; j < count; ++j) weights[j] = load_float(w.dtype, w.data + r * w.row_bytes, k + j);
    for (int i = 0; i < tokens; ++i) {
      const float* x = reinterpret_cast<const float*>(op.x.data + (t + i) * op.x.stride) + k;
      for (int j = 0; j < count; ++j) partial[i][j] = __builtin_fmaf(weights[j], x[j], partial[i][j]);
    }
  }
  for (int i = 0; i < tokens; ++i) {
    const float sum = sum_partials(partial[i]);
    store_outputs(op, segment, t + i, r, &sum, 1);
  }
}

}  // namespace

void linear_scalar(const Linear& op, const Linear::Segment& segment, RowRange rows) {
  for (int64_t t = 0; t < op.x.rows; t += kTokens) {
    const int tokens = op.x.rows - t < kTokens ? int(op.x.rows - t) : kTokens;
    for (int32_t r = rows.begin; r < rows.end; ++r) {
      if (is_quantised(segment.w.dtype))
        quantised_row(op, segment, r, t, tokens);
      else
        float_row(op, segment, r, t, tokens);
    }
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
