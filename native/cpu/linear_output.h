// The end of every `linear` kernel: + bias, then + the old y.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#elif KVASIR_NEON
#include <arm_neon.h>
#endif

#include "native/cpu/linear_half.h"
#include "native/ops/linear.h"

namespace kvasir::cpu::KVASIR_ISA {

// y[token, row…] of `count` consecutive rows.
KVASIR_INLINE void store_outputs(const Linear& op, const Linear::Segment& segment, int64_t token, int32_t row,
                                 const float* sums, int32_t count) {
  float* y = reinterpret_cast<float*>(op.y.data + token * op.y.stride) + segment.column + row;
  const float* bias = segment.bias ? segment.bias + row : nullptr;
  int32_t i = 0;
#if defined(__AVX2__)
  for (; i + 8 <= count; i += 8) {
    __m256 value = _mm256_loadu_ps(sums + i);
    if (bias) value = _mm256_add_ps(value, _mm256_loadu_ps(bias + i));
    if (op.accumulate) value = _mm256_add_ps(value, _mm256_loadu_ps(y + i));
    _mm256_storeu_ps(y + i, value);
  }
#elif KVASIR_NEON
  for (; i + 4 <= count; i += 4) {
    float32x4_t value = vld1q_f32(sums + i);
    if (bias) value = vaddq_f32(value, vld1q_f32(bias + i));
    if (op.accumulate) value = vaddq_f32(value, vld1q_f32(y + i));
    vst1q_f32(y + i, value);
  }
#endif
  for (; i < count; ++i) {
    float value = sums[i];
    if (bias) value += bias[i];
    if (op.accumulate) value += y[i];
    y[i] = value;
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
