// swiglu and add. Reference: test/reference/rowwise.ts
#include "native/cpu/kernels.h"
#include "native/cpu/quantize_groups.h"
#include "native/cpu/silu.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

constexpr int kChunk = 256;  // columns that one thread takes at a time, so that a single row is shared too

// Calls body(row, first column, last column + 1) for this thread's chunks of [rows, columns].
template <typename Body>
KV_INLINE void over_chunks(int64_t rows, int64_t columns, const Worker& worker, Body body) {
  const int64_t chunks = (columns + kChunk - 1) / kChunk;
  const Range all = worker.share(rows * chunks);
  for (int64_t at = all.begin; at < all.end; ++at) {
    const int64_t begin = at % chunks * kChunk;
    body(at / chunks, begin, begin + kChunk < columns ? begin + kChunk : columns);
  }
}

}  // namespace

void swiglu(const SwiGlu& op, const Worker& worker) {
  const bool quantised = op.y.dtype == Dtype::act8;
  const int64_t dim = op.y.dim;
  over_chunks(op.y.rows, dim, worker, [&](int64_t row, int64_t begin, int64_t end) {
    const float *gate = op.x.f32(row), *up = gate + dim;
    if (quantised) {
      quantize_groups(op.y, row, static_cast<int>(begin / kGroup), static_cast<int>(end / kGroup),
                      [&](int g, int half) KV_LAMBDA {
                        const int64_t at = g * kGroup + half * kLanes;
                        return gated(load(gate + at), load(up + at));
                      });
    } else {
      for (int64_t j = begin; j < end; j += kLanes) {
        const f32x16 product = gated(load(gate + j, end - j), load(up + j, end - j));
        store(op.y.f32(row) + j, product, end - j);
      }
    }
  });
}

void add(const Add& op, const Worker& worker) {
  over_chunks(op.y.rows, op.y.dim, worker, [&](int64_t row, int64_t begin, int64_t end) {
    const float* x = op.x.f32(row);
    float* y = op.y.f32(row);
    for (int64_t j = begin; j < end; j += kLanes)
      store(y + j, add(load(y + j, end - j), load(x + j, end - j)), end - j);
  });
}

}  // namespace kvasir::cpu::KVASIR_ISA
