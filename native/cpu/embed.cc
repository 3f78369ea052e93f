// embed. Reference: test/reference/rowwise.ts
#include "native/cpu/kernels.h"
#include "native/formats/dequantize.h"

namespace kvasir::cpu::KVASIR_ISA {

void embed(const Embed& op, const Worker& worker) {
  const Range rows = worker.share(op.y.rows);
  for (int64_t t = rows.begin; t < rows.end; ++t) {
    const int32_t token = op.tokens[t] < 0 ? op.last_sampled[-1 - op.tokens[t]] : op.tokens[t];
    const Weight& w = op.table;
    // A slot that has sampled nothing yet holds −1; a row that nobody may ask for reads as the first.
    const int64_t row = token < 0 || token >= w.rows ? 0 : token;
    dequantize_row(w.dtype, w.data + row * w.row_bytes, op.y.f32(t), op.y.dim);
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
