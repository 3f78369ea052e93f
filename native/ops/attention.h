// Rotary embedding, the write into the KV cache, and attention over its pages.
#pragma once

#include "native/ops/kv_cache.h"
#include "native/ops/rows.h"

namespace kvasir {

// The sequences of a step. Its T tokens are packed: sequence s has tokens start[s] … start[s + 1] − 1, the first of
// which stands at position[s] of its sequence; its pages are blocks[block_start[s] …].
struct StepSequences {
  int32_t count = 0;
  const int32_t* start = nullptr;        // [S + 1]
  const int32_t* position = nullptr;     // [S]
  const int32_t* block_start = nullptr;  // [S + 1]
  const int32_t* blocks = nullptr;       // [B]
  const int32_t* of_token = nullptr;     // [T] the sequence of a token
};

// rope_table: y[t] = (cos, sin)(position of t · inv_freq[i]) · scale, for i < rotary_dim / 2: cosines, then sines.
// Once a step. `scale` is YaRN's attention factor, else 1.
struct RopeTable {
  StepSequences sequences;
  const float* inv_freq = nullptr;  // [rotary_dim / 2]
  float scale = 1;
  Rows y;  // [T, rotary_dim] f32
};

// rope_kv: normalises (when q_norm is given) and rotates q and k of every token, in place, and writes k and v into
// the sequence's pages.
//   qkv  [T, (heads + 2·kv_heads)·head_dim] f32: q, then k, then v
//   q_norm, k_norm  [head_dim] or null: RMSNorm over each head before the rotation (Qwen 3)
//   interleaved: pairs are (2i, 2i + 1) as in GGUF's Llama, else (i, i + rotary_dim / 2) as in Hugging Face
struct RopeKv {
  StepSequences sequences;
  Rows qkv;
  Rows table;  // from rope_table
  int32_t heads = 0;
  int32_t rotary_dim = 0;
  const float* q_norm = nullptr;
  const float* k_norm = nullptr;
  float eps = 0;
  bool interleaved = false;
  int32_t layer = 0;
  KvCache kv;
};

// attention: y = softmax(q·Kᵀ·scale)·V, causal, over the pages, query heads in groups over their KV head.
//   window > 0: a query sees only the last `window` positions, itself included (Mistral).
//
// Order of the arithmetic, which depends on positions alone (design law 3): the context is cut at multiples of
// kSplitTokens. Inside a split the pages are taken in ascending order with an online softmax (arXiv 1805.02867) whose
// maximum moves once a page; a key that a query may not see weighs exactly 0. Splits are merged in ascending order.
// With kv8 the query is quantised to s8 with one scale per head and q·K is an exact integer sum; a row's weights of a
// page, times the scales of the values, are quantised to s16 with step (largest weight · largest scale) / 32767, and
// their sum over the page's values is an exact integer too, added to the output by one fma.
//
// A device may take f16 pages to tensor cores (cuda, compute capability 9.0): the query and the weights are rounded to f16,
// the maximum moves once in two pages, which begin at a multiple of 64, and the order inside an instruction is the device's.
// Its bits are its own then, near those above, and depend on positions alone all the same.
struct Attention {
  StepSequences sequences;
  Rows qkv;  // as left by rope_kv
  int32_t heads = 0;
  float scale = 0;
  int32_t window = 0;
  int32_t layer = 0;
  KvCache kv;
  Rows y;  // [T, heads·head_dim] f32 or act8 (act8 only when head_dim is a multiple of 32)
  // Room that threads share for the splits of a few long sequences; without it, or with too little, a sequence and KV
  // head stay on one thread. The result is the same.
  float* workspace = nullptr;  // 64-byte aligned
  int64_t workspace_bytes = 0;
};

constexpr int32_t kSplitTokens = 256;
constexpr int32_t kMaxHeadDim = 256;  // kernels hold a head in arrays of this size

// A workspace for any model: the parts of one token with 32 heads of 128 over 58,000 tokens. Untouched, it costs nothing.
constexpr int64_t kAttentionWorkspaceBytes = int64_t{4} << 20;

}  // namespace kvasir
