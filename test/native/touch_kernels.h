// Kernels that compute nothing but touch every byte that their arguments allow, and can write the arguments down.
// For tests of the parser and of run_tape().
#pragma once

#include <cstdint>
#include <cstring>
#include <ostream>
#include <string>

#include "native/base/check.h"
#include "native/cpu/table.h"
#include "native/program/program.h"

namespace kvasir::touch {

inline std::ostream* trace = nullptr;        // where to write the arguments; null: nowhere
inline const uint8_t* arena_base = nullptr;  // so that addresses become offsets
inline const Weights* bound = nullptr;       // and indices
inline volatile uint32_t sink;

template <typename T>
inline void look(const T* data, int64_t count) {
  uint32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<uint32_t>(data[i]);
  sink = sum;
}

inline int64_t row_extent(const Rows& r) {
  return r.dtype == Dtype::act8 ? r.dim + r.dim / kGroup * 8 : int64_t{4} * r.dim;
}

inline void see(const Rows& r) {
  for (int i = 0; i < r.rows; ++i) look(r.data + i * r.stride, row_extent(r));
}
inline void fill(const Rows& r) {
  for (int i = 0; i < r.rows; ++i) std::memset(r.data + i * r.stride, 1, row_extent(r));
}
inline void see_vector(const float* v, int64_t n) {
  if (v) look(reinterpret_cast<const uint8_t*>(v), n * 4);
}

// --- text of the arguments, free of addresses ---------------------------------------------------------------------

inline std::string show(const Rows& r) {
  return text(" [", r.data - arena_base, " ", static_cast<int>(r.dtype), " ", r.rows, "x", r.dim, "]");
}
inline std::string show_weight(const void* data) {
  for (size_t i = 0; i < bound->list.size(); ++i)
    if (bound->list[i].data == data) return text(" w", i);
  return " none";
}
template <typename... Parts>
inline void note(const Parts&... parts) {
  if (trace) *trace << text(parts...) << "\n";
}

// --- kernels ------------------------------------------------------------------------------------------------------

inline void touch_pages(const StepSequences& s, const KvCache& kv, int layer) {
  for (int i = 0; i < s.count; ++i) {
    for (int b = s.block_start[i]; b < s.block_start[i + 1]; ++b)
      for (int h = 0; h < kv.kv_heads; ++h) std::memset(kv.head_page(layer, s.blocks[b], h), 1, kv.head_page_bytes());
  }
}

inline void embed(const Embed& a, const Worker&) {
  note("embed", show_weight(a.table.data), show(a.y));
  for (int t = 0; t < a.y.rows; ++t) {
    const int id = a.tokens[t] < 0 ? a.last_sampled[-1 - a.tokens[t]] : a.tokens[t];
    look(a.table.data + id * a.table.row_bytes, row_bytes(a.table.dtype, a.y.dim));
  }
  fill(a.y);
}
inline void rms_norm(const RmsNorm& a, const Worker&) {
  note("rms_norm", show(a.x), show_weight(a.w), " ", a.index != nullptr, " ", a.eps, show(a.y));
  see_vector(a.w, a.x.dim);
  if (!a.index) see(a.x);
  if (a.index)
    for (int i = 0; i < a.y.rows; ++i) look(a.x.data + a.index[i] * a.x.stride, row_extent(a.x));
  fill(a.y);
}
inline void quantize(const Quantize& a, const Worker&) {
  note("quantize", show(a.x), show(a.y));
  see(a.x);
  fill(a.y);
}
inline void linear(const Linear& a, const Worker&) {
  note("linear", show(a.x), show(a.y), " ", a.accumulate);
  see(a.x);
  for (int i = 0; i < a.segments; ++i) {
    const auto& [w, bias, column] = a.segment[i];
    note(" ", show_weight(w.data), show_weight(bias), " ", column);
    for (int r = 0; r < w.rows; ++r) look(w.data + r * w.row_bytes, row_bytes(w.dtype, a.x.dim));
    see_vector(bias, w.rows);
    for (int r = 0; r < a.y.rows; ++r) std::memset(a.y.f32(r) + column, 1, w.rows * sizeof(float));
  }
}
inline void gated_linear(const GatedLinear& a, const Worker&) {
  note("gated_linear", show(a.both.x), show(a.y));
  see(a.both.x);
  for (int i = 0; i < 2; ++i) {
    const auto& [w, bias, column] = a.both.segment[i];
    note(" ", show_weight(w.data), show_weight(bias), " ", column);
    for (int r = 0; r < w.rows; ++r) look(w.data + r * w.row_bytes, row_bytes(w.dtype, a.both.x.dim));
    see_vector(bias, w.rows);
  }
  fill(a.both.y);
  fill(a.y);
}
inline void rope_table(const RopeTable& a, const Worker&) {
  note("rope_table", show_weight(a.inv_freq), " ", a.scale, show(a.y));
  look(a.sequences.of_token, a.y.rows);
  see_vector(a.inv_freq, a.y.dim / 2);
  fill(a.y);
}
inline void rope_kv(const RopeKv& a, const Worker&) {
  note("rope_kv", show(a.qkv), show(a.table), " ", a.heads, show_weight(a.q_norm), show_weight(a.k_norm), " ", a.eps,
       " ", a.interleaved, " ", a.layer);
  see(a.table);
  see_vector(a.q_norm, a.kv.head_dim);
  see_vector(a.k_norm, a.kv.head_dim);
  for (int r = 0; r < a.qkv.rows; ++r)
    std::memset(a.qkv.f32(r), 1, sizeof(float) * (a.heads + 2 * a.kv.kv_heads) * a.kv.head_dim);
  touch_pages(a.sequences, a.kv, a.layer);
}
inline void attention(const Attention& a, const Worker&) {
  note("attention", show(a.qkv), " ", a.heads, " ", a.scale, " ", a.window, " ", a.layer, show(a.y));
  see(a.qkv);
  touch_pages(a.sequences, a.kv, a.layer);
  for (int r = 0; r < a.y.rows; ++r) {
    const int64_t dim = int64_t{a.heads} * a.kv.head_dim;
    std::memset(a.y.data + r * a.y.stride, 1, a.y.dtype == Dtype::act8 ? dim + dim / kGroup * 8 : 4 * dim);
  }
}
inline void swiglu(const SwiGlu& a, const Worker&) {
  note("swiglu", show(a.x), show(a.y));
  for (int r = 0; r < a.x.rows; ++r) look(a.x.data + r * a.x.stride, int64_t{8} * a.y.dim);
  fill(a.y);
}
inline void add(const Add& a, const Worker&) {
  note("add", show(a.x), show(a.y));
  see(a.x);
  fill(a.y);
}
inline void sample(const Sample& a, const Worker&) {
  note("sample", show(a.logits));
  fill(a.logits);
  for (int r = 0; r < a.logits.rows; ++r) {
    a.results[r].id = a.target[r] >= 0 ? a.target[r] : a.logits.dim - 1;
    a.last_sampled[a.slot[r]] = a.results[r].id;
    sink = a.position[r];
  }
}
inline void pool(const Pool& a, const Worker&) {
  note("pool", show(a.x), " ", a.mean);
  see(a.x);
  for (int s = 0; s < a.sequences.count; ++s) a.slots[a.slot[s]].pooled.assign(a.x.dim, 1.0f);
}

inline const cpu::KernelTable kTouch = {"touch", embed,     rms_norm, quantize, linear, gated_linear, rope_table,
                                        rope_kv, attention, swiglu,   add,      sample, pool};

}  // namespace kvasir::touch
