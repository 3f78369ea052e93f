// linear with quantised weights and at most eight tokens: bound by reading the weights once. A block has one panel of 16
// outputs. Its warps take a span each, eight spans a round, read two rounds ahead; the sums of their groups are exact
// integers and meet in shared memory, where a thread for each output and token adds a round's 16 groups in ascending order.
//
// Shared memory, twice: [16 groups][16 outputs][8 tokens] sums as floats (q6_k: two of each), [16 groups][16 outputs] scales
// (and second scales or minimums).
#include "native/cuda/dot.h"
#include "native/cuda/kernels.h"
#include "native/cuda/linear.h"

namespace kvasir::cuda {
namespace {

constexpr int kWarps = kNarrowTile.warps, kTokens = kNarrowTile.tokens, kOutputs = kPanelRows * kTokens;
constexpr int kRound = kWarps * 2;  // groups
static_assert(kOutputs <= kWarps * 32, "a thread adds up an output");

template <Dtype F>
struct Exchange {
  float dots[kRound][F == Dtype::q6_k ? 2 : 1][kOutputs];
  float d[kRound][kPanelRows], other[kRound][F == Dtype::q6_k || has_minimum(F) ? kPanelRows : 1];
};
static_assert(2 * sizeof(Exchange<Dtype::q6_k>) == narrow_shared_bytes(true));
static_assert(2 * sizeof(Exchange<Dtype::q4_k>) == narrow_shared_bytes(false));

// Both at once, so that a warp's pairs fall on all banks.
__device__ __forceinline__ void store_pair(float* to, float low, float high) {
  *reinterpret_cast<uint64_t*>(to) = uint64_t{__float_as_uint(high)} << 32 | __float_as_uint(low);
}

// This warp's span: the sums of its two groups, and their scales, into the exchange.
template <Dtype F>
__device__ __forceinline__ void multiply_span(const Linear& op, const Span<F>& quants, int span, int first,
                                              Exchange<F>& out) {
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int g = lane / 4, t = lane % 4;
  const auto within = [&](int token) { return min(first + token, op.x.rows - 1); };
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int group = span * 2 + half, at = warp * 2 + half;
    if (group * kGroup >= op.x.dim) break;
    uint32_t a[4];
    quants.unpack(half, a);
    const int8_t* x = op.x.q(within(g)) + group * kGroup + t * 4;
    const uint32_t b[2] = {*reinterpret_cast<const uint32_t*>(x), *reinterpret_cast<const uint32_t*>(x + 16)};
    GroupDots<F> dots;
    dots.multiply(a, b);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int output = (g + r * 8) * kTokens + 2 * t;
      store_pair(&out.dots[at][0][output], to_float(dots.first[2 * r]), to_float(dots.first[2 * r + 1]));
      if constexpr (F == Dtype::q6_k)
        store_pair(&out.dots[at][1][output], to_float(dots.second[2 * r]), to_float(dots.second[2 * r + 1]));
    }
    if (t >= 2) continue;
    const GroupScales s = quants.scales(half);
    const int row = g + t * 8;
    out.d[at][row] = t == 0 ? s.d[0] : s.d[1];
    if constexpr (F == Dtype::q6_k) out.other[at][row] = t == 0 ? s.second[0] : s.second[1];
    if constexpr (has_minimum(F)) out.other[at][row] = t == 0 ? s.m[0] : s.m[1];
  }
}

// A round's groups into the output of this thread.
template <Dtype F>
__device__ __forceinline__ float add_round(const Linear& op, const Exchange<F>& in, int round, int token, float acc) {
  const int output = static_cast<int>(threadIdx.x), row = output / kTokens;
  const int groups = min(op.x.dim / kGroup - round * kRound, kRound);
  const float* x_scale = op.x.scale(token) + round * kRound;
  const int32_t* x_sum = op.x.sum(token) + round * kRound;
#pragma unroll
  for (int i = 0; i < kRound; ++i) {
    if (i >= groups) break;
    acc = fmaf(in.dots[i][0][output], in.d[i][row] * x_scale[i], acc);
    if constexpr (F == Dtype::q6_k) acc = fmaf(in.dots[i][1][output], in.other[i][row] * x_scale[i], acc);
    if constexpr (has_minimum(F)) acc = fmaf(in.other[i][row], x_scale[i] * static_cast<float>(x_sum[i]), acc);
  }
  return acc;
}

template <Dtype F>
__device__ __forceinline__ void multiply(const Linear& op) {
  const int warp = static_cast<int>(threadIdx.x / 32), first = static_cast<int>(blockIdx.y) * kTokens;
  const int token = first + static_cast<int>(threadIdx.x) % kTokens;
  const PanelPlace place = find_panel(op, F, static_cast<int>(blockIdx.x));
  const Linear::Segment& segment = op.segment[place.segment];
  const PanelShape shape = panel_shape(F, op.x.dim);
  const uint8_t* panel = segment.w.data + place.panel * shape.bytes;
  const int spans = (op.x.dim / kGroup + 1) / 2, rounds = (spans + kWarps - 1) / kWarps;
  auto* exchange = reinterpret_cast<Exchange<F>*>(shared_memory());
  const bool adds = threadIdx.x < kOutputs && token < op.x.rows;

  constexpr int kAhead = 2;
  Span<F> ahead[kAhead];
#pragma unroll
  for (int i = 0; i < kAhead; ++i)
    if (i * kWarps + warp < spans) ahead[i].load(panel, shape, i * kWarps + warp);
  float acc = 0.0f;
  for (int begin = 0; begin < rounds; begin += kAhead) {
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const int round = begin + i, span = round * kWarps + warp, next = span + kAhead * kWarps;
      if (round >= rounds) break;
      Exchange<F>& room = exchange[i];
      if (span < spans) multiply_span(op, ahead[i], span, first, room);
      if (next < spans) ahead[i].load(panel, shape, next);
      __syncthreads();  // the round is there; two rounds on, everyone has read it
      if (adds) acc = add_round(op, room, round, token, acc);
    }
  }
  if (adds) store_output(op, segment, token, place.panel * kPanelRows + static_cast<int>(threadIdx.x) / kTokens, acc);
}

}  // namespace

#define KVASIR_LINEAR(format)                                             \
  extern "C" __global__ void __launch_bounds__(kNarrowTile.warps * 32, 2) \
      linear_##format##_narrow(const __grid_constant__ Linear op) {       \
    multiply<Dtype::format>(op);                                          \
  }
KVASIR_QUANTISED_FORMATS(KVASIR_LINEAR)
#undef KVASIR_LINEAR

}  // namespace kvasir::cuda
