// What the executor calls: every kernel that a tape can ask for, and with which grid each op runs. Plain host code.
//
// A kernel takes one argument, a struct by value whose pointers are the device's. Most are the op of native/ops as it
// stands; the structs below are for those whose op holds containers or whose grid depends on the step. Activations, step
// arrays and the KV cache lie as native/ops says; matrices lie as pack.h says, vectors (norms, biases, tables) as floats.
#pragma once

#include <cstdint>

#include "native/cuda/tensor_map.h"
#include "native/cuda/tiles.h"
#include "native/ops/attention.h"
#include "native/ops/linear.h"
#include "native/ops/rowwise.h"
#include "native/ops/sample_result.h"

namespace kvasir::cuda {

// linear with quantised weights and many tokens on a card that has wgmma: the op, with its activations as boxes of their
// values, and of their scales and sums as one matrix.
struct TensorLinear {
  Linear op;
  TensorMap values, scales;
};

// The rows of x as f16 or bf16, divided by a power of two where f16 would not hold them.
struct RoundRows {
  Rows x;                    // f32
  Dtype dtype = Dtype::f16;  // or bf16
  uint16_t* y = nullptr;     // [rows, dim]
  float* scale = nullptr;    // [rows] what to multiply by
};

// linear with 16-bit weights on a card that has wgmma: the op, its tokens by round_rows, and both as boxes.
struct TensorHalfLinear {
  Linear op;
  const float* scale = nullptr;  // of tokens
  TensorMap tokens, weights[kMaxSegments];
};

// attention, with what the host knows of the step. Made by plan_attention.
struct PagedAttention {
  Attention op;        // workspace: device memory
  int32_t splits = 1;  // of the context that are taken apart; 1: a block takes all of its own
  int32_t decode_tokens =
      0;  // sequences of at most so many tokens go by the decode kernel, others by the prefill kernel
  bool decodes = true, prefills = false;  // which of them the step needs
};

// Where a split of the context of a token and head leaves its part.
KV_HOST_DEVICE inline float* attention_part(const PagedAttention& paged, int token, int head, int split) {
  const int64_t index = (int64_t{token} * paged.op.heads + head) * paged.splits + split;
  return paged.op.workspace + index * attention_part_floats(paged.op.kv.head_dim);
}

// attention over f16 pages on a card that has wgmma: with the cache as one matrix [pages · layers · kv_heads · 2 · 32, head_dim],
// the keys of a head's page and then its values, in boxes of a page by 64 dimensions.
struct TensorAttention {
  PagedAttention paged;  // first: attention_merge takes it alone
  TensorMap pool;
};

// How the slot of a sequence samples: SamplerParams of native/ops/sample.h, with device pointers. Written when it opens.
struct SamplerSlot {
  float temperature = 0;
  int32_t top_k = 0;
  float top_p = 1;
  float min_p = 0;
  float repetition_penalty = 1;
  float frequency_penalty = 0;
  float presence_penalty = 0;
  int32_t top_logprobs = -1;
  uint64_t seed = 0;
  int32_t biases = 0;
  int32_t stops = 0;
  const int32_t* bias_id = nullptr;  // [biases], each id once and below the vocabulary
  const float* bias = nullptr;       // [biases]
  float* bias_room = nullptr;        // [biases] for the kernel
  const int32_t* stop_id = nullptr;  // [stops]
  // [vocab] times generated, + kInPrompt for a token of the prompt. Null without a penalty; else zeros and marks at first.
  uint16_t* counts = nullptr;
};
constexpr uint16_t kInPrompt = 0x8000;
constexpr int32_t kMaxVocab = 1 << 19;

// sample. A slot has at most one row that is sampled, and any number that are scored.
struct DeviceSample {
  Rows logits;                        // [L, vocab] f32, overwritten
  const int32_t* slot = nullptr;      // [L]
  const int32_t* position = nullptr;  // [L]
  const int32_t* target = nullptr;    // [L] −1: sample
  const int32_t* mask = nullptr;      // [L] number of the row's mask, −1: every token may come
  // [masks, mask_words] the first token that may come or −1, then a bit for each.
  const uint32_t* masks = nullptr;
  int32_t mask_words = 0;
  const SamplerSlot* slots = nullptr;
  int32_t* last_sampled = nullptr;  // [slots]
  SampleResult* results = nullptr;  // [L]
};

// pool: pooled [slots, dim] f32.
struct DevicePool {
  StepSequences sequences;
  const int32_t* slot = nullptr;  // [S]
  Rows x;
  bool mean = true;
  float* pooled = nullptr;
};

// Copies whole pages of the KV cache, before anything else of a step. No page is both read and written.
struct CopyPages {
  uint8_t* base = nullptr;
  int64_t page_bytes = 0;
  const int32_t* pairs = nullptr;  // [count, 2] from, to
  int32_t count = 0;
};

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
};
struct Launch {
  const char* kernel = nullptr;
  Dim3 grid, block;
  uint32_t shared_bytes = 0;
};

// The launches of an op, in order, all with the op itself as their argument. None when there is nothing to do.
constexpr int kMaxLaunches = 3;
struct Launches {
  int32_t count = 0;
  Launch launch[kMaxLaunches];
};

struct DeviceFacts {
  int32_t multiprocessors = 1;
  int32_t compute_capability = 80;  // 10 · major + minor
  int32_t shared_bytes = 99 << 10;  // that a block may ask for
  bool wgmma = false;               // compute capability 9.0, and there are kernels for it
  // The same for attention over f16 pages and for linear with 16-bit weights, whose bits are not those of other cards.
  bool wgmma_attention = false, wgmma_half = false;
};

Launches plan(const Embed&, const DeviceFacts&);
Launches plan(const RmsNorm&, const DeviceFacts&);
Launches plan(const Quantize&, const DeviceFacts&);
Launches plan(const Linear&, const DeviceFacts&);
Launches plan(const TensorLinear&, const DeviceFacts&);
Launches plan(const RoundRows&, const DeviceFacts&);
Launches plan(const TensorHalfLinear&, const DeviceFacts&);
Launches plan(const RopeTable&, const DeviceFacts&);
Launches plan(const RopeKv&, const DeviceFacts&);
Launches plan(const PagedAttention&, const DeviceFacts&);
Launches plan(const TensorAttention&, const DeviceFacts&);
Launches plan(const SwiGlu&, const DeviceFacts&);
Launches plan(const Add&, const DeviceFacts&);
Launches plan(const DeviceSample&, const DeviceFacts&);
Launches plan(const DevicePool&, const DeviceFacts&);
Launches plan(const CopyPages&, const DeviceFacts&);

// Whether the op goes as TensorLinear.
bool uses_wgmma(const Linear& op, const DeviceFacts& device);
// Panels of a block: a warp has one or two.
int32_t wgmma_panels(const Linear& op, const DeviceFacts& device);
// `encode`: Boxes → TensorMap, of the driver.
template <typename Encode>
TensorLinear with_boxes(const Linear& op, const Encode& encode) {
  const Rows& x = op.x;
  return {op, encode(Boxes{x.data, 1, x.dim, x.rows, x.stride, 128, kWgmmaTokens, Swizzle::bytes128}),
          encode(Boxes{x.data + x.dim, 4, x.dim / kGroup * 2, x.rows, x.stride, 4, kWgmmaTokens, Swizzle::none})};
}

// Whether linear goes as RoundRows and TensorHalfLinear: by its weights alone, never by the step.
bool uses_wgmma_half(const Linear& op, const DeviceFacts& device);
bool wgmma_half_large(const Linear& op, const DeviceFacts& device);  // which tile
// Room that RoundRows needs: values, then scales.
constexpr int64_t rounded_bytes(int64_t rows, int64_t dim) { return rows * (dim * 2 + int64_t{sizeof(float)}); }
inline RoundRows round_rows_of(const Linear& op, uint8_t* room) {
  return {op.x, op.segment[0].w.dtype, reinterpret_cast<uint16_t*>(room),
          reinterpret_cast<float*>(room + int64_t{op.x.rows} * op.x.dim * 2)};
}
template <typename Encode>
TensorHalfLinear with_half_boxes(const Linear& op, const RoundRows& tokens, const DeviceFacts& device,
                                 const Encode& encode) {
  const HalfTile tile = wgmma_half_large(op, device) ? kLargeHalfTile : kSmallHalfTile;
  const int64_t stride = int64_t{op.x.dim} * 2;
  TensorHalfLinear arg{op, tokens.scale, {}, {}};
  arg.tokens = encode(Boxes{tokens.y, 1, stride, op.x.rows, stride, 128, tile.tokens, Swizzle::bytes128});
  for (int s = 0; s < op.segments; ++s)
    arg.weights[s] = encode(
        Boxes{op.segment[s].w.data, 1, stride, op.segment[s].w.rows, stride, 128, tile.outputs, Swizzle::bytes128});
  return arg;
}

// The largest of a step's sequences: the tokens that one brings, the fewest that one brings, and position + tokens. For a
// graph that is replayed with other sequences: the bounds of all its steps.
struct StepExtent {
  int32_t most_tokens = 0;
  int32_t fewest_tokens = 0;
  int32_t context = 0;
};
PagedAttention plan_attention(const Attention& op, const StepExtent& extent, const DeviceFacts& device);

// Whether attention goes as TensorAttention: by the model alone, never by the step.
bool uses_wgmma(const Attention& op, const DeviceFacts& device);
template <typename Encode>
TensorAttention with_pages(const PagedAttention& paged, const Encode& encode) {
  const KvCache& kv = paged.op.kv;
  return {paged, encode(Boxes{kv.base, 1, kv.row_bytes(), int64_t{kv.pages} * kv.layers * kv.kv_heads * 2 * kPageTokens,
                              kv.row_bytes(), 128, kPageTokens, Swizzle::bytes128})};
}

}  // namespace kvasir::cuda
