// linear with quantised weights and many tokens: y = x · Wᵀ by wgmma m64nNk32 on 8-bit integers. 128 outputs to a block by N
// tokens: two warpgroups multiply, 16 outputs (a panel) to a warp; one warp of a third brings what they need, 128 columns at
// a time, through a ring of stages.
//
// The weights are the first operand, from registers: a panel lies as they want it (pack.h), unpacked on the way from shared
// memory. The tokens are the second, from shared memory. A sum of 32 products is a whole group, so it is an exact integer; what
// follows is the order of native/ops/linear.h.
//
// A stage: tokens [N] 128 bytes, swizzled; scales [N][4 groups] f32; sums [N][4 groups] i32; 8 panels' parts of two spans.
// Barriers: full (one arrival, all bytes), empty (an arrival of each multiplying warp).
#include "native/cuda/dot.h"
#include "native/cuda/hopper/kernels.h"
#include "native/cuda/linear.h"

namespace kvasir::cuda {
namespace {

constexpr int kPanels = kWgmmaPanels, kConsumers = kPanels * 32, kThreads = kConsumers + 128;

// Offsets in a stage, and in a panel's part of it.
template <Dtype F, int N>
struct Stage {
  static constexpr PanelShape kShape = panel_shape(F, 256);
  static constexpr uint32_t kScales = N * 128, kSums = kScales + N * 16, kWeights = kSums + N * 16;
  static constexpr uint32_t kHigh = 2 * kShape.quants, kPanelScales = kHigh + 2 * kShape.high,
                            kSupers = kPanelScales + 2 * kShape.scales, kPanel = kSupers + kShape.supers;
  static constexpr uint32_t kBytes = wgmma_stage_bytes(kPanel, N);
  static constexpr int kCount = wgmma_stages(kBytes);
  static constexpr uint32_t kFull = kCount * kBytes, kEmpty = kFull + kCount * 8;
};

template <Dtype F>
__device__ __forceinline__ PanelPlace panel_of_block(const Linear& op, int index) {
  return find_panel(op, F, static_cast<int>(blockIdx.x) * kPanels + index);
}

// One warp: lane p brings panel p, three more the boxes of tokens.
template <Dtype F, int N>
__device__ __forceinline__ void produce(const TensorLinear& arg, uint32_t base) {
  using S = Stage<F, N>;
  const Linear& op = arg.op;
  const int lane = static_cast<int>(threadIdx.x % 32), first = static_cast<int>(blockIdx.y) * N;
  const int groups = op.x.dim / kGroup, spans = (groups + 1) / 2;
  const PanelShape shape = panel_shape(F, op.x.dim);
  int panels = 0;
  while (panels < kPanels && panel_of_block<F>(op, panels).segment >= 0) ++panels;
  const PanelPlace place = panel_of_block<F>(op, lane < panels ? lane : 0);
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
    if (lane == 8) load_box(stage, &arg.values, i * 128, first, full);
    if (lane == 9) load_box(stage + S::kScales, &arg.scales, i * 4, first, full);
    if (lane == 10) load_box(stage + S::kSums, &arg.scales, groups + i * 4, first, full);
  }
}

// Span `part` of a stage, as Span::load.
template <Dtype F, int N>
__device__ __forceinline__ Span<F> load_span(uint32_t panel, int part) {
  using S = Stage<F, N>;
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

// A group's sums of this thread's outputs into `sums`. `second`: those of its other half, for q6_k.
template <Dtype F, int N>
__device__ __forceinline__ void add_group(const int32_t (&first)[N / 2], const int32_t (&second)[N / 2],
                                          const GroupScales& s, uint32_t stage, int group, float (&sums)[N / 2]) {
  using S = Stage<F, N>;
  const int t = static_cast<int>(threadIdx.x % 4);
#pragma unroll
  for (int n = 0; n < N / 8; ++n) {
    const uint32_t at = stage + (n * 8 + 2 * t) * 16 + group * 4;
    const float scale[2] = {__uint_as_float(load_shared(at + S::kScales)),
                            __uint_as_float(load_shared(at + S::kScales + 16))};
    int32_t sum[2] = {};
    if constexpr (has_minimum(F)) {
      sum[0] = static_cast<int32_t>(load_shared(at + S::kSums));
      sum[1] = static_cast<int32_t>(load_shared(at + S::kSums + 16));
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float& acc = sums[n * 4 + i];
      // wgmma has no third operand to begin from, so the trick of dot.h would be an addition more.
      acc = fmaf(static_cast<float>(first[n * 4 + i]), s.d[i / 2] * scale[i % 2], acc);
      if constexpr (F == Dtype::q6_k)
        acc = fmaf(static_cast<float>(second[n * 4 + i]), s.second[i / 2] * scale[i % 2], acc);
      if constexpr (has_minimum(F)) acc = fmaf(s.m[i / 2], scale[i % 2] * static_cast<float>(sum[i % 2]), acc);
    }
  }
}

template <Dtype F, int N>
__device__ __forceinline__ void consume(const Linear& op, uint32_t base) {
  using S = Stage<F, N>;
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int groups = op.x.dim / kGroup, spans = (groups + 1) / 2;
  const PanelPlace place = panel_of_block<F>(op, warp);
  const bool missing = place.segment < 0;          // multiplies with the others, by nothing
  constexpr int kSums = F == Dtype::q6_k ? 2 : 1;  // of a group: q6_k has two of 16
  float sums[N / 2] = {};
  int32_t dots[kSums][N / 2];
  for (int i = 0; i * 2 < spans; ++i) {
    const uint32_t stage = base + i % S::kCount * S::kBytes;
    mbarrier_wait(base + S::kFull + i % S::kCount * 8, i / S::kCount & 1);
#pragma unroll
    for (int part = 0; part < 2; ++part) {
      const int left = groups - (i * 2 + part) * 2;  // groups from this span on
      if (left <= 0) break;
      Span<F> span = {};
      if (!missing) span = load_span<F, N>(stage + S::kWeights + warp * S::kPanel, part);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        if (half >= left) break;
        const uint64_t tokens = matrix_at(stage + (part * 2 + half) * 32, Swizzle::bytes128, 16, 1024);
        uint32_t a[4];
        span.unpack(half, a);
        const uint32_t low[4] = {a[0], a[1], 0, 0}, high[4] = {0, 0, a[2], a[3]};
        wgmma_fence();
        wgmma_s8(dots[0], kSums == 2 ? low : a, tokens, false);
        if constexpr (kSums == 2) wgmma_s8(dots[1], high, tokens, false);
        wgmma_commit();
        wgmma_wait<0>();
        keep_behind(dots[0]);
        if constexpr (kSums == 2) keep_behind(dots[1]);
        if (!missing) add_group<F, N>(dots[0], dots[kSums - 1], span.scales(half), stage, part * 2 + half, sums);
      }
    }
    __syncwarp();  // every lane has read what it needs of the stage
    if (lane == 0) mbarrier_arrive(base + S::kEmpty + i % S::kCount * 8);
  }
  if (missing) return;
  const int g = lane / 4, t = lane % 4, first = static_cast<int>(blockIdx.y) * N;
#pragma unroll
  for (int i = 0; i < N / 2; ++i)
    store_output(op, op.segment[place.segment], first + i / 4 * 8 + t * 2 + i % 2,
                 place.panel * kPanelRows + g + i / 2 % 2 * 8, sums[i]);
}

template <Dtype F, int N>
__device__ __forceinline__ void multiply(const TensorLinear& arg) {
  using S = Stage<F, N>;
  const uint32_t base = shared_offset(shared_memory());
  if (threadIdx.x == 0) {
    for (int s = 0; s < S::kCount; ++s) {
      mbarrier_init(base + S::kFull + s * 8, 1);
      mbarrier_init(base + S::kEmpty + s * 8, kPanels);
    }
    fence_barrier_init();
  }
  __syncthreads();
  if (threadIdx.x >= kConsumers) {
    give_registers<24>();
    if (threadIdx.x < kConsumers + 32) produce<F, N>(arg, base);
  } else {
    take_registers<240>();
    consume<F, N>(arg.op, base);
  }
}

}  // namespace

#define KVASIR_LINEAR(format)                                                 \
  extern "C" __global__ void __launch_bounds__(kThreads, 1)                   \
      linear_##format##_wgmma_64(const __grid_constant__ TensorLinear arg) {  \
    multiply<Dtype::format, 64>(arg);                                         \
  }                                                                           \
  extern "C" __global__ void __launch_bounds__(kThreads, 1)                   \
      linear_##format##_wgmma_128(const __grid_constant__ TensorLinear arg) { \
    multiply<Dtype::format, 128>(arg);                                        \
  }
KVASIR_QUANTISED_FORMATS(KVASIR_LINEAR)
#undef KVASIR_LINEAR

}  // namespace kvasir::cuda
