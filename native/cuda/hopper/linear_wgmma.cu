// linear with quantised weights and many tokens: y = x · Wᵀ by wgmma m64n64k32 on 8-bit integers. 128 or 256 outputs to a block
// by 64 tokens: two warpgroups multiply, one or two panels of 16 outputs to a warp; one warp of a third brings what they
// need, 128 columns at a time, through a ring of stages.
//
// The weights are the first operand, from registers: a panel lies as they want it (pack.h), unpacked on the way from shared
// memory. The tokens are the second, from shared memory. A sum of 32 products is a whole group, so it is an exact integer; what
// follows is the order of native/ops/linear.h.
//
// A stage: tokens [64] 128 bytes, swizzled; scales [64][4 groups] f32; sums [64][4 groups] i32; the panels' parts of two spans.
// Barriers: full (one arrival, all bytes), empty (an arrival of each multiplying warp).
#include "native/cuda/dot.h"
#include "native/cuda/hopper/kernels.h"
#include "native/cuda/linear.h"

namespace kvasir::cuda {
namespace {

constexpr int N = kWgmmaTokens, kConsumers = kWgmmaWarps * 32, kThreads = kConsumers + 128;

// Offsets in a stage, and in a panel's part of it. M: panels of a warp.
template <Dtype F, int M>
struct Stage {
  static constexpr int kPanels = M * kWgmmaWarps;
  static constexpr PanelShape kShape = panel_shape(F, 256);
  static constexpr uint32_t kScales = N * 128, kSums = kScales + N * 16, kWeights = kSums + N * 16;
  static constexpr uint32_t kHigh = 2 * kShape.quants, kPanelScales = kHigh + 2 * kShape.high,
                            kSupers = kPanelScales + 2 * kShape.scales, kPanel = kSupers + kShape.supers;
  static constexpr uint32_t kBytes = wgmma_stage_bytes(kPanel, kPanels);
  static constexpr int kCount = wgmma_stages(kBytes);
  static constexpr uint32_t kFull = kCount * kBytes, kEmpty = kFull + kCount * 8;
};

template <Dtype F, int M>
__device__ __forceinline__ PanelPlace panel_of_block(const Linear& op, int index) {
  return find_panel(op, F, static_cast<int>(blockIdx.x) * Stage<F, M>::kPanels + index);
}

// One warp: lane p brings panel p, three more the boxes of tokens.
template <Dtype F, int M>
__device__ __forceinline__ void produce(const TensorLinear& arg, uint32_t base) {
  using S = Stage<F, M>;
  const Linear& op = arg.op;
  const int lane = static_cast<int>(threadIdx.x % 32), first = static_cast<int>(blockIdx.y) * N;
  const int groups = op.x.dim / kGroup, spans = (groups + 1) / 2;
  const PanelShape shape = panel_shape(F, op.x.dim);
  int panels = 0;
  while (panels < S::kPanels && panel_of_block<F, M>(op, panels).segment >= 0) ++panels;
  const PanelPlace place = panel_of_block<F, M>(op, lane < panels ? lane : 0);
  const uint8_t* panel = op.segment[place.segment].w.data + place.panel * shape.bytes;
  for (int i = 0; i * 2 < spans; ++i) {
    const uint32_t stage = base + i % S::kCount * S::kBytes, full = base + S::kFull + i % S::kCount * 8;
    const int parts = min(2, spans - i * 2);
    mbarrier_wait(base + S::kEmpty + i % S::kCount * 8, (i / S::kCount & 1) ^ 1);
    const int part_bytes = parts * (shape.quants + shape.high + shape.scales) + shape.supers;
    if (lane == 0) mbarrier_expect(full, N * (128 + 16 + 16) + panels * part_bytes);
    if (lane < panels) {
      const uint32_t to = stage + S::kWeights + lane * S::kPanel;
      copy_bulk(to, panel + int64_t{i} * 2 * shape.quants, parts * shape.quants, full);
      if constexpr (S::kShape.high > 0)
        copy_bulk(to + S::kHigh, panel + shape.high_at + i * 2 * shape.high, parts * shape.high, full);
      copy_bulk(to + S::kPanelScales, panel + shape.scales_at + i * 2 * shape.scales, parts * shape.scales, full);
      if constexpr (S::kShape.supers > 0)
        copy_bulk(to + S::kSupers, panel + shape.supers_at + i / 2 * shape.supers, shape.supers, full);
    }
    if (lane == 16) load_box(stage, &arg.values, i * 128, first, full);
    if (lane == 17) load_box(stage + S::kScales, &arg.scales, i * 4, first, full);
    if (lane == 18) load_box(stage + S::kSums, &arg.scales, groups + i * 4, first, full);
  }
}

// Span `part` of a stage, as Span::load.
template <Dtype F, int M>
__device__ __forceinline__ Span<F> load_span(uint32_t panel, int part) {
  using S = Stage<F, M>;
  const int lane = static_cast<int>(threadIdx.x % 32), g = lane / 4;
  Span<F> span;
  load_shared16(span.word, panel + part * S::kShape.quants + lane * 16);
  if constexpr (Span<F>::kWords == 8) load_shared16(span.word + 4, panel + part * S::kShape.quants + 512 + lane * 16);
  load_shared_words<Span<F>::kHigh>(span.high, panel + S::kHigh + part * S::kShape.high + lane * Span<F>::kHigh * 4);
#pragma unroll
  for (int half = 0; half < 2; ++half)
    load_shared_words<Span<F>::kEach>(
        span.scale + half * Span<F>::kEach,
        panel + S::kPanelScales + part * S::kShape.scales + (half * 8 + g) * Span<F>::kEach * 4);
  load_shared_words<Span<F>::kSupers>(span.super, panel + S::kSupers + g * Span<F>::kSupers * 4);
  return span;
}

// What a group of the tokens brings to all of a thread's outputs: its scales, and its sums where the weights have minimums.
struct TokenScales {
  float scale[2], sum[2];  // of tokens 8·n + 2·t and the next; sum: scale · sum

  template <Dtype F, int M>
  __device__ __forceinline__ void load(uint32_t stage, int n, int group) {
    using S = Stage<F, M>;
    const uint32_t at = stage + (n * 8 + 2 * static_cast<int>(threadIdx.x % 4)) * 16 + group * 4;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      scale[i] = __uint_as_float(load_shared(at + S::kScales + i * 16));
      if constexpr (has_minimum(F))
        sum[i] = scale[i] * static_cast<float>(static_cast<int32_t>(load_shared(at + S::kSums + i * 16)));
    }
  }
};

// A group's sums of this thread's outputs of M panels into `sums`. wgmma has no third operand to begin from, so the trick of
// dot.h would be an addition more.
template <Dtype F, int M, int kSums>
__device__ __forceinline__ void add_group(const int32_t (&dots)[M][kSums][N / 2], const GroupScales (&scales)[M],
                                          uint32_t stage, int group, float (&sums)[M][N / 2]) {
#pragma unroll
  for (int n = 0; n < N / 8; ++n) {
    TokenScales tokens;
    tokens.template load<F, M>(stage, n, group);
#pragma unroll
    for (int m = 0; m < M; ++m) {
      const GroupScales& s = scales[m];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float& acc = sums[m][n * 4 + i];
        const float scale = tokens.scale[i % 2];
        acc = fmaf(static_cast<float>(dots[m][0][n * 4 + i]), s.d[i / 2] * scale, acc);
        if constexpr (F == Dtype::q6_k)
          acc = fmaf(static_cast<float>(dots[m][1][n * 4 + i]), s.second[i / 2] * scale, acc);
        if constexpr (has_minimum(F)) acc = fmaf(s.m[i / 2], tokens.sum[i % 2], acc);
      }
    }
  }
}

template <Dtype F, int M>
__device__ __forceinline__ void consume(const Linear& op, uint32_t base) {
  using S = Stage<F, M>;
  constexpr int kSums = F == Dtype::q6_k ? 2 : 1;  // of a group: q6_k has two of 16
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int groups = op.x.dim / kGroup, spans = (groups + 1) / 2;
  const auto panel_of = [warp](int m) { return (warp / 4 * M + m) * 4 + warp % 4; };  // 64 outputs to a wgmma
  PanelPlace place[M];
#pragma unroll
  for (int m = 0; m < M; ++m) place[m] = panel_of_block<F, M>(op, panel_of(m));
  const bool missing = place[0].segment < 0;  // multiplies with the others, by nothing
  float sums[M][N / 2] = {};
  int32_t dots[M][kSums][N / 2];
  for (int i = 0; i * 2 < spans; ++i) {
    const uint32_t stage = base + i % S::kCount * S::kBytes;
    mbarrier_wait(base + S::kFull + i % S::kCount * 8, i / S::kCount & 1);
#pragma unroll
    for (int part = 0; part < 2; ++part) {
      const int left = groups - (i * 2 + part) * 2;  // groups from this span on
      if (left <= 0) break;
      Span<F> span[M] = {};
#pragma unroll
      for (int m = 0; m < M; ++m)
        if (place[m].segment >= 0) span[m] = load_span<F, M>(stage + S::kWeights + panel_of(m) * S::kPanel, part);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        if (half >= left) break;
        const uint64_t tokens = matrix_at(stage + (part * 2 + half) * 32, Swizzle::bytes128, 16, 1024);
        uint32_t a[M][kSums][4];
        GroupScales scales[M];
#pragma unroll
        for (int m = 0; m < M; ++m) {
          span[m].unpack(half, a[m][0]);
          scales[m] = span[m].scales(half);
          if constexpr (kSums == 2)
#pragma unroll
            for (int r = 0; r < 4; ++r) a[m][1][r] = r < 2 ? 0 : a[m][0][r], a[m][0][r] = r < 2 ? a[m][0][r] : 0;
        }
        wgmma_fence();
#pragma unroll
        for (int m = 0; m < M * kSums; ++m)
          wgmma_s8(dots[m / kSums][m % kSums], a[m / kSums][m % kSums], tokens, false);
        wgmma_commit();
        wgmma_wait<0>();
#pragma unroll
        for (int m = 0; m < M * kSums; ++m) keep_behind(dots[m / kSums][m % kSums]);
        if (!missing) add_group<F, M, kSums>(dots, scales, stage, part * 2 + half, sums);
      }
    }
    __syncwarp();  // every lane has read what it needs of the stage
    if (lane == 0) mbarrier_arrive(base + S::kEmpty + i % S::kCount * 8);
  }
  const int g = lane / 4, t = lane % 4, first = static_cast<int>(blockIdx.y) * N;
#pragma unroll
  for (int m = 0; m < M; ++m) {
    if (place[m].segment < 0) continue;
#pragma unroll
    for (int i = 0; i < N / 2; ++i)
      store_output(op, op.segment[place[m].segment], first + i / 4 * 8 + t * 2 + i % 2,
                   place[m].panel * kPanelRows + g + i / 2 % 2 * 8, sums[m][i]);
  }
}

template <Dtype F, int M>
__device__ __forceinline__ void multiply(const TensorLinear& arg) {
  using S = Stage<F, M>;
  const uint32_t base = shared_offset(shared_memory());
  if (threadIdx.x == 0) {
    for (int s = 0; s < S::kCount; ++s) {
      mbarrier_init(base + S::kFull + s * 8, 1);
      mbarrier_init(base + S::kEmpty + s * 8, kWgmmaWarps);
    }
    fence_barrier_init();
  }
  __syncthreads();
  if (threadIdx.x >= kConsumers) {
    give_registers<24>();
    if (threadIdx.x < kConsumers + 32) produce<F, M>(arg, base);
  } else {
    take_registers<240>();
    consume<F, M>(arg.op, base);
  }
}

}  // namespace

#define KVASIR_LINEAR(format)                                                 \
  extern "C" __global__ void __launch_bounds__(kThreads, 1)                   \
      linear_##format##_wgmma_128(const __grid_constant__ TensorLinear arg) { \
    multiply<Dtype::format, 1>(arg);                                          \
  }                                                                           \
  extern "C" __global__ void __launch_bounds__(kThreads, 1)                   \
      linear_##format##_wgmma_256(const __grid_constant__ TensorLinear arg) { \
    multiply<Dtype::format, 2>(arg);                                          \
  }
KVASIR_QUANTISED_FORMATS(KVASIR_LINEAR)
#undef KVASIR_LINEAR

}  // namespace kvasir::cuda
