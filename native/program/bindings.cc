// Do a program, its weights, its KV cache and its fellow programs fit together?

#include "native/base/check.h"
#include "native/program/program.h"

namespace kvasir {

void check_bindings(const Program& program, const Weights& bound, const KvCache& kv) {
  const std::vector<Weight>& weights = bound.list;
  KV_CHECK(weights.size() == program.weights.size(), "KV_NATIVE", weights.size(), " weights were bound, the tape has ",
           program.weights.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    const Weight& w = weights[i];
    const auto& need = program.weights[i];
    KV_CHECK(w.rows == need.rows && w.cols == need.columns, "KV_NATIVE", "weight ", i, " is ", w.rows, " × ", w.cols,
             ", the tape needs ", need.rows, " × ", need.columns);
    const Block block = block_of(w.dtype);
    KV_CHECK(block.values > 0 && w.dtype <= Dtype::q6_k && w.cols % block.values == 0, "KV_NATIVE", "weight ", i,
             " has dtype ", static_cast<int>(w.dtype), ", which cannot hold rows of ", w.cols);
    KV_CHECK(w.data != nullptr && w.row_bytes == row_bytes(w.dtype, w.cols), "KV_NATIVE", "weight ", i, " has rows of ",
             w.row_bytes, " bytes, expected ", row_bytes(w.dtype, w.cols));
    const bool fits = need.need == tape::WeightNeed::any ||
                      (need.need == tape::WeightNeed::f32 && w.dtype == Dtype::f32) ||
                      (need.need == tape::WeightNeed::floats && !is_quantised(w.dtype)) ||
                      (need.need == tape::WeightNeed::quantised && is_quantised(w.dtype));
    KV_CHECK(fits, "KV_NATIVE", "weight ", i, " has dtype ", static_cast<int>(w.dtype),
             ", the tape was compiled for another kind");
    const uintptr_t alignment = w.dtype == Dtype::f32 ? 4 : 2;  // the blocks of every other format begin with an f16
    KV_CHECK(reinterpret_cast<uintptr_t>(w.data) % alignment == 0, "KV_NATIVE", "weight ", i, " is not aligned to ",
             alignment, " bytes");
  }

  const tape::Header& h = program.header;
  if (h.kv_layers == 0) return;
  KV_CHECK(kv.base != nullptr && kv.pages > 0 && kv.layers >= h.kv_layers && kv.kv_heads == h.kv_heads &&
               kv.head_dim == h.kv_head_dim,
           "KV_NATIVE", "the KV cache has ", kv.layers, " layers of ", kv.kv_heads, " heads of ", kv.head_dim,
           ", the tape needs ", h.kv_layers, " of ", h.kv_heads, " of ", h.kv_head_dim);
  KV_CHECK(kv.dtype == Dtype::f32 || kv.dtype == Dtype::f16 || kv.dtype == Dtype::kv8, "KV_NATIVE",
           "the KV cache has dtype ", static_cast<int>(kv.dtype));
}

void check_together(const std::vector<std::shared_ptr<const Program>>& programs) {
  for (const auto& sampler : programs) {
    for (const auto& reader : programs) {
      KV_CHECK(sampler->facts.logits <= reader->facts.vocab || reader->facts.vocab == 0, "KV_NATIVE",
               "one program samples ids below ", sampler->facts.logits, ", another embeds ids below ",
               reader->facts.vocab);
    }
  }
}

}  // namespace kvasir
