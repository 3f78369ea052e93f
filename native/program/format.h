// The tape: a compiled model as 32-bit words, written by lib/compiler/emit.ts and read once by parse.cc.
//
//   header   kHeaderWords words, see Header
//   maxima   4 words: the most T, S, L, B that a step may have
//   dims     n × 5: constant, then a factor for each of T, S, L, B; all ≥ 0, so a maximum is reached at the maxima
//   buffers  n × 4: dtype (f32 or act8), dim (number of rows), columns, offset in the arena in units of 64 bytes
//   weights  n × 3: need (WeightNeed), rows, columns; a vector has one row
//   code     the instructions: op, then the operands as laid out by its struct below
//
// Symbols: T tokens of the step, S sequences, L rows that reach the vocabulary, B block-table entries.
//
// An instruction names buffers and weights, never sizes or addresses: sizes are dims, evaluated once a step. There are
// no branches. REPEAT runs the `words` after it `count` times; in iteration i a WeightRef means weight
// index + i·stride and a LayerRef likewise, and so one copy of a layer serves all. REPEAT does not nest.
//
// Where a choice of kernel variant for a bucket of T comes from the tuning cache, its slot becomes a word after `op`.
// Today each kernel picks its own tile from the number of rows, and so there is none.
#pragma once

#include <cstdint>

#include "native/ops/attention.h"
#include "native/ops/linear.h"

namespace kvasir::tape {

constexpr int32_t kMagic = 0x4b565450;  // "KVTP"
constexpr int32_t kVersion = 1;

enum Symbol : int32_t { T = 0, S = 1, L = 2, B = 3 };
constexpr int kSymbols = 4;

struct Header {
  int32_t magic, version;
  int32_t dims, buffers, weights, code_words;
  int32_t arena_lines;                       // of 64 bytes
  int32_t kv_layers, kv_heads, kv_head_dim;  // of the KV cache that the attention instructions need; 0 without any
};
constexpr int32_t kHeaderWords = sizeof(Header) / sizeof(int32_t);
constexpr int32_t kDimWords = 1 + kSymbols;
constexpr int32_t kBufferWords = 4;
constexpr int32_t kWeightWords = 3;
constexpr int64_t kLine = 64;

// Limits that keep every product below 2^63 and every loop short. They are far above any model.
constexpr int32_t kMaxSymbol = 1 << 20;
constexpr int32_t kMaxRows = 1 << 24;
constexpr int32_t kMaxColumns = 1 << 24;
constexpr int32_t kMaxDims = 1 << 8;
constexpr int32_t kMaxBuffers = 1 << 10;
constexpr int32_t kMaxWeights = 1 << 16;
constexpr int32_t kMaxRepeat = 1 << 12;
constexpr int32_t kMaxHeads = 1 << 12;
constexpr int32_t kMaxLayers = 1 << 12;
constexpr int32_t kMaxExecuted = 1 << 16;  // instructions of a step

// What an instruction asks of a weight's format.
enum class WeightNeed : int32_t {
  any = 0,
  f32 = 1,        // norms, biases, tables
  floats = 2,     // matrices multiplied with f32 activations: f32, f16, bf16
  quantised = 3,  // matrices multiplied with act8 activations
};

struct WeightRef {
  int32_t index;  // −1: none, where the op allows it
  int32_t stride;
};

struct LayerRef {
  int32_t index;
  int32_t stride;
};

enum class Op : int32_t {
  embed = 1,
  rms_norm = 2,
  quantize = 3,
  linear = 4,
  rope_table = 5,
  rope_kv = 6,
  attention = 7,
  swiglu = 8,
  add = 9,
  sample = 10,
  pool = 11,
  repeat = 12,
  gated_linear = 13,
};

// Operands, word for word. x, y, qkv, … are buffers.
struct Embed {
  WeightRef table;
  int32_t y;
};
struct RmsNorm {
  int32_t x;
  WeightRef w;
  int32_t gather;  // 1: row i is row row_index[i] of x
  float eps;
  int32_t y;
};
struct Quantize {
  int32_t x, y;
};
struct Segment {
  WeightRef w, bias;
};
struct Linear {
  int32_t x, y;
  int32_t column;                 // of y, where the first segment begins; the others follow without a gap
  int32_t accumulate;             // 0 or 1
  int32_t segments;               // 1 … kMaxSegments
  Segment segment[kMaxSegments];  // unused ones hold −1, 0
};
struct GatedLinear {
  int32_t x, y;
  int32_t both;        // room for gate and up, [T, 2·F]
  Segment segment[2];  // gate, up
};
struct RopeTable {
  WeightRef inv_freq;
  float scale;
  int32_t y;
};
struct RopeKv {
  int32_t qkv, table, heads;
  WeightRef q_norm, k_norm;
  float eps;
  int32_t interleaved;
  LayerRef layer;
};
struct Attention {
  int32_t qkv, heads;
  float scale;
  int32_t window;
  LayerRef layer;
  int32_t y;
};
struct SwiGlu {
  int32_t x, y;
};
struct Add {
  int32_t x, y;
};
struct Sample {
  int32_t logits;
};
struct Pool {
  int32_t x;
  int32_t mean;  // 1 mean, 0 last
};
struct Repeat {
  int32_t count, words;
};

// Words of the operands of an op; −1 for an unknown one.
constexpr int32_t operand_words(int32_t op) {
  constexpr int32_t w = sizeof(int32_t);
  switch (static_cast<Op>(op)) {
    case Op::embed:
      return sizeof(Embed) / w;
    case Op::rms_norm:
      return sizeof(RmsNorm) / w;
    case Op::quantize:
      return sizeof(Quantize) / w;
    case Op::linear:
      return sizeof(Linear) / w;
    case Op::gated_linear:
      return sizeof(GatedLinear) / w;
    case Op::rope_table:
      return sizeof(RopeTable) / w;
    case Op::rope_kv:
      return sizeof(RopeKv) / w;
    case Op::attention:
      return sizeof(Attention) / w;
    case Op::swiglu:
      return sizeof(SwiGlu) / w;
    case Op::add:
      return sizeof(Add) / w;
    case Op::sample:
      return sizeof(Sample) / w;
    case Op::pool:
      return sizeof(Pool) / w;
    case Op::repeat:
      return sizeof(Repeat) / w;
  }
  return -1;
}

}  // namespace kvasir::tape
