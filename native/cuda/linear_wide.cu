// linear with quantised weights and many tokens: y = x · Wᵀ by mma.sync m16n8k32 on 8-bit integers, the weights as first
// operand, straight from memory in the form in which they are packed, a span ahead; the tokens as second, through shared
// memory, three spans ahead by cp.async. 128 outputs to a block, 32 to a warp, by 64 tokens.
//
// A stage of shared memory: 64 tokens × 64 bytes, whose 16-byte chunks lie at chunk ^ (token / 2 mod 4), so that neither
// cp.async nor ldmatrix conflicts; then two scales a token, then two sums.
#include "native/cuda/dot.h"
#include "native/cuda/kernels.h"
#include "native/cuda/linear.h"

namespace kvasir::cuda {
namespace {

constexpr int kTokens = kWideTile.tokens, kTiles = kTokens / 8, kPanels = kWideTile.panels;
constexpr int kThreads = kWideTile.warps * 32;
constexpr uint32_t kScalesAt = kTokens * 64, kSumsAt = kScalesAt + kTokens * 8, kStage = kSumsAt + kTokens * 8;
static_assert(kWideStages * kStage == kWideSharedBytes);

__device__ __forceinline__ uint32_t chunk_of(uint32_t stage, int token, int chunk) {
  return stage + token * 64 + (chunk ^ (token >> 1 & 3)) * 16;
}

// What this thread brings of every span of tokens first…: 16 bytes of two tokens, a scale and a sum; zeros where there is none.
struct Bringer {
  static constexpr int kEach = kTokens * 4 / kThreads;
  const int8_t* q[kEach];
  const float* scale;
  const int32_t* sum;
  uint32_t to[kEach];  // in a stage
  bool inside[kEach], has_scale;

  __device__ __forceinline__ Bringer(const Rows& x, int first) {
    const int thread = static_cast<int>(threadIdx.x), last = x.rows - 1;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int token = thread / 4 + i * (kThreads / 4);
      inside[i] = first + token <= last;
      q[i] = x.q(min(first + token, last)) + thread % 4 * 16;
      to[i] = chunk_of(0, token, thread % 4);
    }
    has_scale = first + thread / 2 <= last;
    scale = x.scale(min(first + thread / 2, last)) + thread % 2;
    sum = x.sum(min(first + thread / 2, last)) + thread % 2;
  }

  __device__ __forceinline__ void begin(uint32_t stage, int span, int dim) const {
    const int thread = static_cast<int>(threadIdx.x);
    const bool within = span * 64 + thread % 4 * 16 < dim;
#pragma unroll
    for (int i = 0; i < kEach; ++i)
      copy_async16(stage + to[i], within ? q[i] + span * 64 : q[i], inside[i] && within ? 16 : 0);
    const bool group = (span * 2 + thread % 2) * kGroup < dim;
    const int at = group ? span * 2 : -(thread % 2), bytes = has_scale && group ? 4 : 0;
    copy_async4(stage + kScalesAt + thread * 4, scale + at, bytes);
    copy_async4(stage + kSumsAt + thread * 4, sum + at, bytes);
  }
};
static_assert(kThreads == 2 * kTokens, "a thread copies a scale and a sum");

template <Dtype F>
__device__ __forceinline__ void multiply(const Linear& op) {
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int g = lane / 4, t = lane % 4, first = static_cast<int>(blockIdx.y) * kTokens;
  const uint32_t base = shared_offset(shared_memory());
  const PanelShape shape = panel_shape(F, op.x.dim);
  const int groups = op.x.dim / kGroup, spans = (groups + 1) / 2;
  PanelPlace place[kPanels];
  const uint8_t* panel[kPanels];
#pragma unroll
  for (int p = 0; p < kPanels; ++p) {
    place[p] = find_panel(op, F, (static_cast<int>(blockIdx.x) * kWideTile.warps + warp) * kPanels + p);
    if (place[p].segment < 0) place[p] = find_panel(op, F, 0), place[p].missing = true;
    panel[p] = op.segment[place[p].segment].w.data + place[p].panel * shape.bytes;
  }

  const bool idle = place[0].missing;  // this warp only helps to bring tokens

  Span<F> ahead[kPanels];
#pragma unroll
  for (int p = 0; p < kPanels && !idle; ++p) ahead[p].load(panel[p], shape, 0);
  const Bringer tokens(op.x, first);
  const auto load = [&](int span) {
    if (span < spans) tokens.begin(base + span % kWideStages * kStage, span, op.x.dim);
    copy_commit();  // an empty group at the end keeps the count of those in flight
  };
  for (int span = 0; span < kWideStages - 1; ++span) load(span);

  float sums[kPanels][kTiles][4] = {};
  for (int span = 0; span < spans; ++span) {
    uint32_t a[kPanels][2][4];
    GroupScales scales[kPanels][2];
#pragma unroll
    for (int p = 0; p < kPanels; ++p) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        ahead[p].unpack(half, a[p][half]);
        keep(a[p][half]);
        scales[p][half] = ahead[p].scales(half);
      }
      if (span + 1 < spans && !idle) ahead[p].load(panel[p], shape, span + 1);
    }
    copy_wait<kWideStages - 2>();
    __syncthreads();  // every thread's part has landed, and nobody reads the stage that is loaded next
    load(span + kWideStages - 1);
    const uint32_t stage = base + span % kWideStages * kStage;
#pragma unroll
    for (int n = 0; n < kTiles; ++n) {
      if (first + n * 8 >= op.x.rows) break;
      uint32_t b[4], x_scale[4], x_sum[4];  // of tokens 2t and 2t + 1, two groups each
      ldmatrix_x4(b, chunk_of(stage, n * 8 + lane % 8, lane / 8));
      load_shared16(x_scale, stage + kScalesAt + (n * 8 + 2 * t) * 8);
      if constexpr (has_minimum(F)) load_shared16(x_sum, stage + kSumsAt + (n * 8 + 2 * t) * 8);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float scale[2] = {__uint_as_float(x_scale[half]), __uint_as_float(x_scale[2 + half])};
#pragma unroll
        for (int p = 0; p < kPanels; ++p) {
          GroupDots<F> dots;
          dots.multiply(a[p][half], b + half * 2);
          const GroupScales& s = scales[p][half];
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            float& acc = sums[p][n][i];
            acc = fmaf(to_float(dots.first[i]), s.d[i / 2] * scale[i % 2], acc);
            if constexpr (F == Dtype::q6_k) acc = fmaf(to_float(dots.second[i]), s.second[i / 2] * scale[i % 2], acc);
            if constexpr (has_minimum(F)) {
              const auto sum = static_cast<int32_t>(x_sum[i % 2 * 2 + half]);
              acc = fmaf(s.m[i / 2], scale[i % 2] * static_cast<float>(sum), acc);
            }
          }
        }
      }
    }
  }
#pragma unroll
  for (int p = 0; p < kPanels; ++p) {
    if (place[p].missing) continue;
#pragma unroll
    for (int i = 0; i < kTiles * 4; ++i) {
      const int row = place[p].panel * kPanelRows + g + i / 2 % 2 * 8, token = first + i / 4 * 8 + t * 2 + i % 2;
      store_output(op, op.segment[place[p].segment], token, row, sums[p][i / 4][i % 4]);
    }
  }
}

}  // namespace

#define KVASIR_LINEAR(format)                                     \
  extern "C" __global__ void __launch_bounds__(kThreads, 2)       \
      linear_##format##_wide(const __grid_constant__ Linear op) { \
    multiply<Dtype::format>(op);                                  \
  }
KVASIR_QUANTISED_FORMATS(KVASIR_LINEAR)
#undef KVASIR_LINEAR

}  // namespace kvasir::cuda
