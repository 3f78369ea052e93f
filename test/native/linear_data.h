// Random weights in every format, random activations, and the kernels of this machine; for the test and the bench of
// `linear`.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "native/base/worker.h"
#include "native/cpu/table.h"
#include "native/ops/linear.h"

namespace kvasir::test {

using Isa = cpu::KernelTable;

// The instruction sets that this machine can run, the best last.
inline std::vector<Isa> isas() {
  std::vector<Isa> all;
  for (const cpu::KernelTable* table : cpu::runnable_kernels()) all.insert(all.begin(), *table);
  return all;
}

struct Format {
  const char* name;
  Dtype dtype;
};

constexpr Format kFormats[] = {{"q4_0", Dtype::q4_0}, {"q4_1", Dtype::q4_1}, {"q5_0", Dtype::q5_0},
                               {"q5_1", Dtype::q5_1}, {"q8_0", Dtype::q8_0}, {"q4_k", Dtype::q4_k},
                               {"q5_k", Dtype::q5_k}, {"q6_k", Dtype::q6_k}, {"f32", Dtype::f32},
                               {"f16", Dtype::f16},   {"bf16", Dtype::bf16}};

// Memory whose end is the end of the allocation, so that a sanitizer sees a read past it.
struct Buffer {
  std::unique_ptr<uint8_t, void (*)(void*)> data{nullptr, std::free};
  size_t size = 0;

  explicit Buffer(size_t bytes, uint8_t fill = 0xff) : size(bytes) {
    void* p = nullptr;
    if (posix_memalign(&p, 64, bytes ? bytes : 1) != 0) std::abort();
    data.reset(static_cast<uint8_t*>(p));
    std::memset(p, fill, bytes);
  }
  uint8_t* get() const { return data.get(); }
};

using Random = std::mt19937;

inline void put_half(uint8_t* p, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const uint32_t sign = bits >> 16 & 0x8000;
  const int exponent = int(bits >> 23 & 255) - 112;
  uint32_t half = exponent <= 0 ? 0 : uint32_t(exponent) << 10 | (bits >> 13 & 0x3ff);
  half |= sign;
  p[0] = uint8_t(half);
  p[1] = uint8_t(half >> 8);
}

// Any bytes are a valid block, once its scales are numbers of a model's size.
inline Buffer random_weights(Dtype dtype, int64_t rows, int64_t cols, Random& random) {
  Buffer w(size_t(rows * row_bytes(dtype, cols)));
  std::uniform_real_distribution<float> small(-0.05f, 0.05f);
  if (!is_quantised(dtype)) {
    for (int64_t i = 0; i < rows * cols; ++i) {
      const float value = small(random);
      if (dtype == Dtype::f16) put_half(w.get() + i * 2, value);
      if (dtype == Dtype::bf16) std::memcpy(w.get() + i * 2, reinterpret_cast<const uint8_t*>(&value) + 2, 2);
      if (dtype == Dtype::f32) std::memcpy(w.get() + i * 4, &value, 4);
    }
    return w;
  }
  for (size_t i = 0; i < w.size; ++i) w.get()[i] = uint8_t(random());
  const Block block = block_of(dtype);
  const bool super = block.values == 256;
  for (size_t at = 0; at < w.size; at += size_t(block.bytes)) {
    // A third of the blocks are at the limit of their format: against saturated activations, the worst 16-bit sums.
    if (random() % 3 == 0) std::memset(w.get() + at, dtype == Dtype::q8_0 ? 0x80 : 0xff, size_t(block.bytes));
    uint8_t* d = w.get() + at + (dtype == Dtype::q6_k ? 208 : 0);
    put_half(d, small(random) * (super ? 0.02f : 1.0f));
    if (dtype != Dtype::q6_k && dtype != Dtype::q8_0) {
      // q4_0 and q5_0 have no minimum there; their bytes may be anything.
      put_half(d + 2, small(random) * (super ? 0.02f : 1.0f));
    }
  }
  return w;
}

// Rows of act8 or f32 whose padding is poison.
inline Buffer random_activations(Dtype dtype, int64_t rows, int64_t dim, Random& random) {
  const int64_t stride = activation_stride(dtype, dim);
  Buffer x(size_t(rows * stride));
  std::normal_distribution<float> normal;
  for (int64_t t = 0; t < rows; ++t) {
    const Rows row{x.get(), dtype, int32_t(rows), int32_t(dim), stride};
    if (dtype == Dtype::f32) {
      for (int64_t k = 0; k < dim; ++k) row.f32(t)[k] = normal(random);
      continue;
    }
    for (int64_t g = 0; g < dim / kGroup; ++g) {
      int32_t sum = 0;
      for (int i = 0; i < kGroup; ++i) {
        // A fifth of the groups are saturated, the worst case of 16-bit sums.
        const int32_t q = g % 5 == 4 ? (t % 2 ? 127 : -127) : int32_t(random() % 255) - 127;
        row.q(t)[g * kGroup + i] = int8_t(q);
        sum += q;
      }
      row.scale(t)[g] = std::fabs(normal(random)) * 0.02f;
      row.sum(t)[g] = sum;
    }
  }
  return x;
}

}  // namespace kvasir::test
