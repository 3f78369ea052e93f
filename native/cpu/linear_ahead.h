// Weights that are read next: each tile of columns asks for a part of them, so that they arrive while it multiplies.
#pragma once

#include "native/cpu/linear_parts.h"

namespace kvasir::cpu::KVASIR_ISA {

struct Ahead {
  const uint8_t* data;
  int64_t stride;
  int64_t rows;
  int64_t bytes;  // of a row
};

// Groups or values [from, from + count) of K, of which the weight has `of`, in up to `height` rows from `row` on.
static inline Ahead ahead_of(const Weight& w, RowRange rows, int32_t row, int32_t height, int64_t from, int64_t count,
                             int64_t of) {
  const int64_t unit = w.row_bytes / of;
  const int64_t left = row < rows.end ? rows.end - row : 0;
  return {w.data + row * w.row_bytes + from * unit, w.row_bytes, left < height ? left : height, count * unit};
}

// Asks for the share of the rows that `done` of `all` columns are due; `fetched` counts rows.
static inline __attribute__((always_inline)) void fetch(const Ahead& ahead, int64_t done, int64_t all,
                                                        int64_t* fetched) {
  for (const int64_t due = ahead.rows * done / all; *fetched < due; ++*fetched) {
    const uintptr_t row = reinterpret_cast<uintptr_t>(ahead.data + *fetched * ahead.stride);
    for (uintptr_t line = row & ~uintptr_t{63}; line < row + uintptr_t(ahead.bytes); line += 64) {
      __builtin_prefetch(reinterpret_cast<const void*>(line), 0, 2);
    }
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
