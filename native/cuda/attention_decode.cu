// Attention of few tokens a sequence: a warp to a query head of a token, the heads of one KV head in a block so that they
// share its pages in the cache. Long contexts are taken apart at multiples of kSplitTokens, the parts meet in the workspace
// and attention_merge puts them together; with one split a warp does both, in the same order.
#include "native/cuda/attention_row.h"
#include "native/cuda/kernels.h"

namespace kvasir::cuda {
namespace {

__device__ __forceinline__ void write_part(float* part, const Running& running, int dim, const float* acc) {
  if (threadIdx.x % 32 == 0) {
    part[0] = running.most;
    part[1] = running.sum;
  }
#pragma unroll
  for (int i = 0; i < kRowValues; ++i)
    if (dim_of(i) < dim) part[kPartHeader + dim_of(i)] = acc[i];
}

__device__ __forceinline__ void add_part(Running& total, float* total_acc, const Running& part, const float* acc) {
  const Merge by = merge(total, part);
#pragma unroll
  for (int i = 0; i < kRowValues; ++i) total_acc[i] = fmaf(acc[i], by.now, total_acc[i] * by.past);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kDecodeWarps * 32, 2)
    attention_decode(const __grid_constant__ PagedAttention paged) {
  const Attention& op = paged.op;
  const StepSequences& sequences = op.sequences;
  const int token = static_cast<int>(blockIdx.z), s = sequences.of_token[token], group = op.heads / op.kv.kv_heads;
  if (sequences.start[s + 1] - sequences.start[s] > paged.decode_tokens) return;
  const int warps = static_cast<int>(blockDim.x / 32), warp = static_cast<int>(threadIdx.x / 32);
  const int kv_head = static_cast<int>(blockIdx.y) % op.kv.kv_heads;
  const int of_group = static_cast<int>(blockIdx.y) / op.kv.kv_heads * warps + warp;
  if (of_group >= group) return;
  const int head = kv_head * group + of_group;
  const int position = sequences.position[s] + token - sequences.start[s];
  const int first = first_visible(op, position) / kSplitTokens, last = position / kSplitTokens;
  const int32_t* blocks = sequences.blocks + sequences.block_start[s];

  const int only = static_cast<int>(blockIdx.x);
  if (paged.splits > 1 && (only < first || only > last)) return;
  RowQuery query;
  query.load(op, op.qkv.f32(token) + head * op.kv.head_dim,
             reinterpret_cast<float*>(shared_memory() + warp * kDecodeSharedBytes));
  Running running;
  float acc[kRowValues];
  if (paged.splits > 1) {
    attend_split(op, query, blocks, position, kv_head, only, running, acc);
    return write_part(attention_part(paged, token, head, only), running, op.kv.head_dim, acc);
  }
  Running total;
  float total_acc[kRowValues] = {};
  for (int split = first; split <= last; ++split) {
    attend_split(op, query, blocks, position, kv_head, split, running, acc);
    add_part(total, total_acc, running, acc);
  }
  write_row(op, token, head, total.sum, total_acc);
}

extern "C" __global__ void __launch_bounds__(kHeadWarps * 32)
    attention_merge(const __grid_constant__ PagedAttention paged) {
  const Attention& op = paged.op;
  const int token = static_cast<int>(blockIdx.x), head = static_cast<int>(blockIdx.y * kHeadWarps + threadIdx.x / 32);
  const int s = op.sequences.of_token[token];
  if (head >= op.heads || op.sequences.start[s + 1] - op.sequences.start[s] > paged.decode_tokens) return;
  const int position = op.sequences.position[s] + token - op.sequences.start[s];
  Running total;
  float total_acc[kRowValues] = {};
  for (int split = first_visible(op, position) / kSplitTokens; split <= position / kSplitTokens; ++split) {
    const float* part = attention_part(paged, token, head, split);
    float acc[kRowValues];
#pragma unroll
    for (int i = 0; i < kRowValues; ++i) acc[i] = dim_of(i) < op.kv.head_dim ? part[kPartHeader + dim_of(i)] : 0.0f;
    add_part(total, total_acc, {part[0], part[1]}, acc);
  }
  write_row(op, token, head, total.sum, total_acc);
}

}  // namespace kvasir::cuda
