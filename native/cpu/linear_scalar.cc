// linear in plain scalar code: the whole of the baseline instruction set, and elsewhere the rows that are too few for
// a vector strip. It reads as the definition of the formats (ggml's quants) and of the arithmetic.

#include <cstring>

#include "native/cpu/linear_half.h"
#include "native/cpu/linear_output.h"
#include "native/cpu/linear_parts.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

// One group of 32: the signed values (u − zero) and the scales of its two halves, and the minimum.
struct Group {
  int32_t w[kGroup];
  float d[2];
  float m;
};

uint32_t load_u32(const uint8_t* p) {
  uint32_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

void low_nibbles_first(const uint8_t* p, uint32_t high_bits, int32_t zero, int32_t* w) {
  for (int i = 0; i < 16; ++i) {
    w[i] = (p[i] & 15) + int32_t(high_bits >> i & 1) * 16 - zero;
    w[i + 16] = (p[i] >> 4) + int32_t(high_bits >> (i + 16) & 1) * 16 - zero;
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
    out->w[i] = (low[i] >> g % 2 * 4 & 15) + (five ? (high[i] >> g & 1) * 16 : 0);
  }
  out->d[0] = out->d[1] = half_to_float(block) * float(scale);
  out->m = -half_to_float(block + 2) * float(min);
}

void q6_k_group(const uint8_t* block, int g, Group* out) {
  const uint8_t* low = block + g / 4 * 64 + g % 2 * 32;
  const uint8_t* high = block + 128 + g / 4 * 32;
  const int j = g % 4;
  for (int i = 0; i < kGroup; ++i) {
    out->w[i] = ((low[i] >> j / 2 * 4 & 15) | (high[i] >> 2 * j & 3) << 4) - 32;
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

void quantised_row(const Linear& op, const Linear::Segment& segment, int32_t r) {
  const Weight& w = segment.w;
  const Format format = format_of(w.dtype);
  const uint8_t* row = w.data + r * w.row_bytes;
  for (int64_t t = 0; t < op.x.rows; ++t) {
    const uint8_t* x = op.x.data + t * op.x.stride;
    const int8_t* q = reinterpret_cast<const int8_t*>(x);
    const float* scale = reinterpret_cast<const float*>(x + w.cols);
    const int32_t* sum = reinterpret_cast<const int32_t*>(x + w.cols + w.cols / 8);
    float acc = 0;
    for (int32_t g = 0; g < w.cols / kGroup; ++g, q += kGroup) {
      Group group;
      load_group(w.dtype, row, g, &group);
      int32_t isum[2] = {0, 0};
      for (int i = 0; i < kGroup; ++i) isum[i / 16] += group.w[i] * q[i];
      if (format.halves) {
        acc = __builtin_fmaf(float(isum[0]), group.d[0] * scale[g], acc);
        acc = __builtin_fmaf(float(isum[1]), group.d[1] * scale[g], acc);
      } else {
        acc = __builtin_fmaf(float(isum[0] + isum[1]), group.d[0] * scale[g], acc);
      }
      if (format.minimum) acc = __builtin_fmaf(group.m, scale[g] * float(sum[g]), acc);
    }
    store_outputs(op, segment, t, r, &acc, 1);
  }
}

void float_row(const Linear& op, const Linear::Segment& segment, int32_t r) {
  const Weight& w = segment.w;
  const uint8_t* row = w.data + r * w.row_bytes;
  for (int64_t t = 0; t < op.x.rows; ++t) {
    const float* x = reinterpret_cast<const float*>(op.x.data + t * op.x.stride);
    float partial[16] = {};
    for (int32_t k = 0; k < w.cols; ++k)
      partial[k % 16] = __builtin_fmaf(load_float(w.dtype, row, k), x[k], partial[k % 16]);
    const float sum = sum_partials(partial);
    store_outputs(op, segment, t, r, &sum, 1);
  }
}

}  // namespace

void linear_scalar(const Linear& op, const Linear::Segment& segment, RowRange rows) {
  for (int32_t r = rows.begin; r < rows.end; ++r) {
    if (is_quantised(segment.w.dtype))
      quantised_row(op, segment, r);
    else
      float_row(op, segment, r);
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
