// Attention of many tokens a sequence over 8-bit pages: FlashAttention-2 (arXiv 2307.08691) in integers. 64 rows of one KV
// head to a block, the query heads of a token side by side, 16 rows to a warp; a page is loaded two ahead by cp.async. Each
// split of kSplitTokens has a softmax of its own; they are merged into totals in shared memory in ascending order, as on
// every device.
//
// Shared memory: kPrefillStages pages, totals [D / 2][128 threads] f32, queries [64][D + 16] s8, their scales [64].
#include "native/cuda/attention_tile.h"
#include "native/cuda/kernels.h"

namespace kvasir::cuda {
namespace {

constexpr int kRows = kPrefillRows, kThreads = 128, kStages = kPrefillStages;

template <int D>
struct Prefill {
  using Room = PageRoom<D>;
  static constexpr uint32_t kTotals = kStages * Room::kBytes, kQueries = kTotals + D / 2 * kThreads * 4;
  static constexpr uint32_t kScales = kQueries + kRows * (D + 16);
  static_assert(kScales + kRows * sizeof(float) == prefill_shared_bytes(D));

  const Attention& op;
  const int group, tile_tokens, kv_head, first, warp, lane;
  const uint32_t base;
  AttentionTile<D> tile;
  Running total[2];
  int token[2], position[2];  // of rows g and g + 8; token −1: none

  __device__ __forceinline__ Prefill(const PagedAttention& paged)
      : op(paged.op),
        group(op.heads / op.kv.kv_heads),
        tile_tokens(kRows / group),
        kv_head(static_cast<int>(blockIdx.y)),
        first(static_cast<int>(gridDim.x - 1 - blockIdx.x) * tile_tokens),  // late tiles see more and go first
        warp(static_cast<int>(threadIdx.x / 32)),
        lane(static_cast<int>(threadIdx.x % 32)),
        base(shared_offset(shared_memory())) {}

  // Row r (of 64) of the block: its token, −1 when it has none that this kernel sees to.
  __device__ __forceinline__ int token_of(int row, int most) const {
    const int at = first + row / group;
    if (row >= tile_tokens * group || at >= op.qkv.rows) return -1;
    const int s = op.sequences.of_token[at];
    return op.sequences.start[s + 1] - op.sequences.start[s] > most ? at : -1;
  }
  __device__ __forceinline__ int head_of(int row) const { return kv_head * group + row % group; }

  // The warp's 16 queries in s8, then as operands of mma.
  __device__ __forceinline__ void load_queries(int most) {
    auto* queries = shared_memory() + kQueries + warp * 16 * (D + 16);
    auto* scales = reinterpret_cast<float*>(shared_memory() + kScales) + warp * 16;
    const int dim = op.kv.head_dim;
    for (int r = 0; r < 16; ++r) {
      const int row = warp * 16 + r, at = token_of(row, most);
      const float* q = op.qkv.f32(max(at, 0)) + head_of(row) * dim;
      int top = 0;
      for (int i = lane; i < dim && at >= 0; i += 32) top = max(top, magnitude(q[i]));
      const Quantum quantum = quantum_of(__int_as_float(max_over<32>(top)));
      if (lane == 0) scales[r] = quantum.scale * op.scale;
      for (int i = lane; i < D; i += 32)
        queries[r * (D + 16) + i] = static_cast<uint8_t>(i < dim && at >= 0 ? quantized(q[i], quantum.inverse) : 0);
    }
    __syncwarp();
    const int g = lane / 4, t = lane % 4;
#pragma unroll
    for (int k = 0; k < D / 32; ++k)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        tile.q[k][i] =
            *reinterpret_cast<const uint32_t*>(queries + (g + i % 2 * 8) * (D + 16) + k * 32 + i / 2 * 16 + t * 4);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      tile.q_scale[r] = scales[g + r * 8];
      token[r] = token_of(warp * 16 + g + r * 8, most);
    }
  }

  __device__ __forceinline__ float& total_at(int i) {
    return reinterpret_cast<float*>(shared_memory() + kTotals)[i * kThreads + threadIdx.x];
  }

  // The split that ends goes into the totals of the rows that saw something of it.
  __device__ __forceinline__ void merge_split() {
    tile.end_split();
    Merge by[2];
#pragma unroll
    for (int r = 0; r < 2; ++r)
      if (tile.running[r].most > -INFINITY) by[r] = merge(total[r], tile.running[r]);
#pragma unroll
    for (int i = 0; i < D / 2; ++i) {
      const int r = i % 4 / 2;
      if (tile.running[r].most > -INFINITY)
        total_at(i) = fmaf(tile.acc[i / 4][i % 4], by[r].now, total_at(i) * by[r].past);
    }
    tile.begin_split();
  }

  // The rows of one sequence, tokens [begin, end) of the step.
  __device__ __forceinline__ void attend_sequence(int s, int begin, int end) {
    const StepSequences& sequences = op.sequences;
    const int offset = sequences.position[s] - sequences.start[s];
    const int from = first_visible(op, begin + offset) / kPageTokens, to = (end - 1 + offset) / kPageTokens + 1;
    const int32_t* blocks = sequences.blocks + sequences.block_start[s];
    const auto load = [&](int page) {
      if (page < to)
        Room::template load<kThreads>(op.kv, op.kv.head_page(op.layer, blocks[page], kv_head),
                                      base + page % kStages * Room::kBytes);
      copy_commit();
    };
    __syncthreads();  // nobody reads the pages of the sequence before
    for (int i = 0; i < kStages - 1; ++i) load(from + i);
    for (int page = from; page < to; ++page) {
      copy_wait<kStages - 2>();
      __syncthreads();  // the page is there, and nobody reads the room that is filled next
      load(page + kStages - 1);
      const int at = page * kPageTokens;
      if (at % kSplitTokens == 0 && page > from) merge_split();
      Sight sight[2];
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        if (token[r] < begin || token[r] >= end) continue;
        const int own = token[r] + offset;
        sight[r] = {max(first_visible(op, own) - at, 0), min(own + 1 - at, int{kPageTokens})};
      }
      // Whole warps that see nothing of a page pass it by.
      if (__any_sync(kAllLanes, sight[0].some() || sight[1].some()))
        tile.attend(op.kv, base + page % kStages * Room::kBytes, sight);
    }
    merge_split();
    copy_wait<0>();
  }

  __device__ __forceinline__ void write_rows() {
    const int t = lane % 4, dim = op.kv.head_dim;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int row = warp * 16 + lane / 4 + r * 8, column = head_of(row) * dim;
      const float by = 1.0f / total[r].sum;
      const bool writes = token[r] >= 0;
      // Dimensions 32·j + 16·h + 4·t + i as value 4·h + i.
#pragma unroll
      for (int j = 0; j < D / 32; ++j) {
        if (j * 32 >= dim) break;
        float y[8];
        int top = 0;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          y[i] = total_at((4 * j + i / 4 * 2 + i % 2) * 4 + 2 * r + i / 2 % 2) * by;
          top = max(top, magnitude(y[i]));
        }
        if (op.y.dtype != Dtype::act8) {
          for (int i = 0; i < 8 && writes; ++i)
            if (j * 32 + i / 4 * 16 < dim) op.y.f32(token[r])[column + j * 32 + i / 4 * 16 + 4 * t + i % 4] = y[i];
          continue;
        }
        const Quantum quantum = quantum_of(__int_as_float(max_over<4>(top)));
        uint32_t words[2] = {};
        int sum = 0;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          const int q = quantized(y[i], quantum.inverse);
          words[i / 4] |= static_cast<uint32_t>(q & 255) << i % 4 * 8;
          sum += q;
        }
        sum = sum_over<4>(sum);
        if (!writes) continue;
        const int at = column + j * 32;
        for (int h = 0; h < 2; ++h) *reinterpret_cast<uint32_t*>(op.y.q(token[r]) + at + h * 16 + 4 * t) = words[h];
        if (t != 0) continue;
        op.y.scale(token[r])[at / kGroup] = quantum.scale;
        op.y.sum(token[r])[at / kGroup] = sum;
      }
    }
  }

  __device__ __forceinline__ void run(int most) {
    load_queries(most);
#pragma unroll
    for (int i = 0; i < D / 2; ++i) total_at(i) = 0.0f;
    tile.begin_split();
    const int last = min(first + tile_tokens, op.qkv.rows);
    for (int begin = first; begin < last;) {
      const int s = op.sequences.of_token[begin], end = min(last, op.sequences.start[s + 1]);
      if (op.sequences.start[s + 1] - op.sequences.start[s] > most) attend_sequence(s, begin, end);
      begin = end;
    }
    write_rows();
  }
};

}  // namespace

extern "C" __global__ void __launch_bounds__(kThreads, 2)
    attention_prefill_64(const __grid_constant__ PagedAttention paged) {
  Prefill<64>(paged).run(paged.decode_tokens);
}
extern "C" __global__ void __launch_bounds__(kThreads, 2)
    attention_prefill_128(const __grid_constant__ PagedAttention paged) {
  Prefill<128>(paged).run(paged.decode_tokens);
}

}  // namespace kvasir::cuda
