// Attention over f16 pages by wgmma, for heads of 64 and 128: attention_wgmma_* for prompts, two warpgroups of 64 rows with the
// query heads of a token side by side; attention_few_wgmma_* for sequences with few tokens, one warpgroup with the heads of
// one token over one split or all. A row's bits are the same in both, and whatever the other rows of a tile are.
//
// One warp brings two pages at a time by TMA, from one map over the whole cache, through a ring of blocks. Pages that nobody
// of a tile sees are fetched from outside of the map and so are zeros; tokens of the last page behind the tile's last one may
// hold anything, and their values are made zeros, for 0 · NaN is not 0.
//
// Barriers: full (one arrival, all bytes), empty (an arrival of each multiplying warp).
#include "native/cuda/hopper/attention_group.h"
#include "native/cuda/hopper/kernels.h"

namespace kvasir::cuda {
namespace {

constexpr int kBlockPages = kBlock / kPageTokens, kSplitBlocks = kSplitTokens / kBlock, kNowhere = -kPageTokens;

// Tokens [begin, end) of the step, of one sequence, and the blocks that they see.
struct Stretch {
  int sequence, begin, end, offset, from, to;
};

template <int D, int groups>
struct Tile {
  using Room = BlockRoom<D>;
  static constexpr bool kFew = groups == 1;
  static constexpr int kStages = block_stages(groups), kConsumers = groups * 128;
  static constexpr uint32_t kFull = kStages * Room::kBytes, kEmpty = kFull + kStages * 8;

  const PagedAttention& paged;
  const Attention& op;
  const TensorMap& pool;
  const int group, tile_tokens, kv_head, first, last;
  const uint32_t base;

  __device__ __forceinline__ explicit Tile(const TensorAttention& arg)
      : paged(arg.paged),
        op(arg.paged.op),
        pool(arg.pool),
        group(op.heads / op.kv.kv_heads),
        tile_tokens(kFew ? 1 : groups * 64 / group),
        kv_head(static_cast<int>(blockIdx.y)),
        // Late tiles see more and go first.
        first(kFew ? static_cast<int>(blockIdx.z) : static_cast<int>(gridDim.x - 1 - blockIdx.x) * tile_tokens),
        last(min(first + tile_tokens, op.qkv.rows)),
        base(shared_offset(shared_memory())) {}

  __device__ __forceinline__ bool takes_apart() const { return kFew && paged.splits > 1; }

  // Calls visit(Stretch) for each that is this kernel's and sees something.
  template <typename Visit>
  __device__ __forceinline__ void each_stretch(const Visit& visit) const {
    const StepSequences& sequences = op.sequences;
    for (int begin = first; begin < last;) {
      const int s = sequences.of_token[begin], end = min(last, sequences.start[s + 1]);
      const int offset = sequences.position[s] - sequences.start[s];
      const bool few = sequences.start[s + 1] - sequences.start[s] <= paged.decode_tokens;
      Stretch stretch{
          s, begin, end, offset, first_visible(op, begin + offset) / kBlock, (end - 1 + offset) / kBlock + 1};
      if (takes_apart()) {
        const int split = static_cast<int>(blockIdx.x) * kSplitBlocks;
        stretch.from = max(stretch.from, split);
        stretch.to = min(stretch.to, split + kSplitBlocks);
      }
      if (few == kFew && stretch.from < stretch.to) visit(stretch);
      if (kFew) return;
      begin = end;
    }
  }

  // One warp, a lane to a box: a page's keys or values, 64 dimensions of them. `fetched`: blocks before, of all stretches.
  __device__ __forceinline__ void fetch(const Stretch& stretch, int& fetched) const {
    const KvCache& kv = op.kv;
    const int lane = static_cast<int>(threadIdx.x % 32), part = lane % (D / 64), of_values = lane / (D / 64) % 2;
    const int page = lane / (D / 64 * 2);
    const int32_t* blocks = op.sequences.blocks + op.sequences.block_start[stretch.sequence];
    const int seen = first_visible(op, stretch.begin + stretch.offset) / kPageTokens;
    const int pages = (stretch.end - 1 + stretch.offset) / kPageTokens + 1;
    for (int block = stretch.from; block < stretch.to; ++block, ++fetched) {
      const uint32_t stage = base + fetched % kStages * Room::kBytes, full = base + kFull + fetched % kStages * 8;
      mbarrier_wait(base + kEmpty + fetched % kStages * 8, (fetched / kStages & 1) ^ 1);
      if (lane == 0) mbarrier_expect(full, Room::kBytes);
      if (lane >= kBlockPages * (D / 64) * 2) continue;
      const int at = block * kBlockPages + page;
      const int row = at >= seen && at < pages
                          ? ((blocks[at] * kv.layers + op.layer) * kv.kv_heads + kv_head) * 2 * kPageTokens +
                                of_values * kPageTokens
                          : kNowhere;
      load_box(stage + of_values * Room::kValues + part * Room::kPart + page * kPageTokens * 128, &pool, part * 128,
               row, full);
    }
  }

  // Row r of the warpgroups: its token, −1 when it has none in the stretch; and its query head.
  __device__ __forceinline__ int token_of(int row, const Stretch& stretch) const {
    const int token = first + row / group;
    return row < tile_tokens * group && token >= stretch.begin && token < stretch.end ? token : -1;
  }
  __device__ __forceinline__ int head_of(int row) const { return kv_head * group + row % group; }
  __device__ __forceinline__ int row_of(int r) const {
    return static_cast<int>(threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4) + r * 8;
  }

  // By all multiplying threads: the values of a block from token `from` on become zeros.
  __device__ __forceinline__ void clear_values(uint32_t stage, int from) const {
    auto* values = reinterpret_cast<uint32_t*>(shared_memory() + (stage - base) + Room::kValues);
    const int words = (kBlock - from) * 32;
#pragma unroll
    for (int part = 0; part < D / 64; ++part)
      for (int i = static_cast<int>(threadIdx.x); i < words; i += kConsumers)
        values[part * (Room::kPart / 4) + from * 32 + i] = 0;
    fence_async();
    barrier_sync(1, kConsumers);
  }

  __device__ __forceinline__ void attend(AttentionGroup<D>& rows, const Stretch& stretch, int& fetched) const {
    int token[2];
    const float* queries[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      token[r] = token_of(row_of(r), stretch);
      queries[r] = token[r] >= 0 ? op.qkv.f32(token[r]) + head_of(row_of(r)) * D : nullptr;
    }
    rows.load_queries(queries);
    rows.begin();
    // The tokens of this warpgroup.
    const int row = static_cast<int>(threadIdx.x / 128) * 64;
    const int begin = max(stretch.begin, first + row / group), end = min(stretch.end, first + (row + 63) / group + 1);
    const bool none = begin >= end || row >= tile_tokens * group;
    const int from = none ? stretch.to : first_visible(op, begin + stretch.offset) / kBlock;
    const int to = none ? 0 : (end - 1 + stretch.offset) / kBlock + 1;
    for (int block = stretch.from; block < stretch.to; ++block, ++fetched) {
      const uint32_t stage = base + fetched % kStages * Room::kBytes;
      const int at = block * kBlock, known = stretch.end + stretch.offset - at;
      if (block % kSplitBlocks == 0 && block > stretch.from) {
        rows.merge_split(op.scale);
        rows.begin_split();
      }
      mbarrier_wait(base + kFull + fetched % kStages * 8, fetched / kStages & 1);
      if (known < kBlock) clear_values(stage, known);
      if (kFew || (block >= from && block < to)) {
        BlockSight sight[2];
#pragma unroll
        for (int r = 0; r < 2; ++r)
          if (token[r] >= 0)
            sight[r] = {first_visible(op, token[r] + stretch.offset) - at, token[r] + stretch.offset + 1 - at};
        rows.attend(stage, sight, op.scale);
      }
      __syncwarp();
      if (threadIdx.x % 32 == 0) mbarrier_arrive(base + kEmpty + fetched % kStages * 8);
    }
    if (takes_apart()) return write_parts(rows, token);
    rows.merge_split(op.scale);
    write_rows(rows, token);
  }

  __device__ __forceinline__ void write_parts(const AttentionGroup<D>& rows, const int (&token)[2]) const {
    const int t = static_cast<int>(threadIdx.x % 4);
    Running part[2];
    rows.end_split(op.scale, part);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      if (token[r] < 0) continue;
      float* out = attention_part(paged, token[r], head_of(row_of(r)), static_cast<int>(blockIdx.x));
      if (t == 0) out[0] = part[r].most, out[1] = part[r].sum;
#pragma unroll
      for (int i = 0; i < D / 8; ++i)
#pragma unroll
        for (int c = 0; c < 2; ++c) out[kPartHeader + 8 * i + 2 * t + c] = rows.acc[i * 4 + r * 2 + c];
    }
  }

  __device__ __forceinline__ void write_rows(const AttentionGroup<D>& rows, const int (&token)[2]) const {
    const int t = static_cast<int>(threadIdx.x % 4);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int column = head_of(row_of(r)) * D;
      const float by = 1.0f / rows.total[r].sum;
#pragma unroll
      for (int j = 0; j < D / 32; ++j) {
        float y[8];  // dimensions 32·j + 8·i + 2·t + c as value 2·i + c
        int top = 0;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          y[i] = rows.total_acc[(4 * j + i / 2) * 4 + r * 2 + i % 2] * by;
          top = max(top, magnitude(y[i]));
        }
        const int at = column + j * 32 + 2 * t;
        if (op.y.dtype != Dtype::act8) {
          for (int i = 0; i < 8 && token[r] >= 0; ++i) op.y.f32(token[r])[at + i / 2 * 8 + i % 2] = y[i];
          continue;
        }
        const Quantum quantum = quantum_of(__int_as_float(max_over<4>(top)));
        int q[8], of_group = 0;
#pragma unroll
        for (int i = 0; i < 8; ++i) of_group += q[i] = quantized(y[i], quantum.inverse);
        of_group = sum_over<4>(of_group);
        if (token[r] < 0) continue;
#pragma unroll
        for (int i = 0; i < 4; ++i)
          *reinterpret_cast<uint16_t*>(op.y.q(token[r]) + at + i * 8) =
              static_cast<uint16_t>((q[2 * i] & 255) | (q[2 * i + 1] & 255) << 8);
        if (t != 0) continue;
        op.y.scale(token[r])[at / kGroup] = quantum.scale;
        op.y.sum(token[r])[at / kGroup] = of_group;
      }
    }
  }

  __device__ __forceinline__ void run() const {
    const int s = op.sequences.of_token[first];
    if (kFew && op.sequences.start[s + 1] - op.sequences.start[s] > paged.decode_tokens) return;
    if (threadIdx.x == 0) {
      for (int s = 0; s < kStages; ++s) {
        mbarrier_init(base + kFull + s * 8, 1);
        mbarrier_init(base + kEmpty + s * 8, kConsumers / 32);
      }
      fence_barrier_init();
    }
    __syncthreads();
    int fetched = 0;
    if (threadIdx.x >= kConsumers) {
      give_registers<24, kFew ? 128 : 0>();
      if (threadIdx.x < kConsumers + 32) each_stretch([&](const Stretch& stretch) { fetch(stretch, fetched); });
    } else {
      take_registers<kFew ? 232 : 240, kFew ? 128 : 0>();
      AttentionGroup<D> rows;
      each_stretch([&](const Stretch& stretch) { attend(rows, stretch, fetched); });
    }
  }
};

}  // namespace

#define KVASIR_ATTENTION(D)                                                  \
  extern "C" __global__ void __launch_bounds__(384, 1)                       \
      attention_wgmma_##D(const __grid_constant__ TensorAttention arg) {     \
    Tile<D, 2>(arg).run();                                                   \
  }                                                                          \
  extern "C" __global__ void __launch_bounds__(256, 2)                       \
      attention_few_wgmma_##D(const __grid_constant__ TensorAttention arg) { \
    Tile<D, 1>(arg).run();                                                   \
  }
KVASIR_ATTENTION(64)
KVASIR_ATTENTION(128)
#undef KVASIR_ATTENTION

}  // namespace kvasir::cuda
