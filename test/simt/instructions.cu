// Instructions that no kernel of ours uses yet, one warp each: out[lane] or out[16, 8] for what the host can say itself.
#include "native/cuda/ptx.h"
#include "test/simt/planted.h"

namespace kvasir::simt_test {
namespace {

using namespace cuda;

__device__ int me() { return static_cast<int>(threadIdx.x); }

void shuffle_up(const float* in, float* out) { out[me()] = __shfl_up_sync(0xFFFFFFFFu, in[me()], 3); }
void shuffle_down(const float* in, float* out) { out[me()] = __shfl_down_sync(0xFFFFFFFFu, in[me()], 3); }
void shuffle_index(const float* in, float* out) { out[me()] = __shfl_sync(0xFFFFFFFFu, in[me()], 31 - me()); }

// Two halves of a warp vote apart, at the same time.
void ballot_halves(const float* in, float* out) {
  const unsigned mask = me() < 16 ? 0x0000FFFFu : 0xFFFF0000u;
  out[me()] = static_cast<float>(__ballot_sync(mask, in[me()] > 0.0f));
}

// The lanes' places in a queue: every number once.
void compare_and_swap(const float*, float* out) {
  auto* place = reinterpret_cast<unsigned*>(shared_memory());
  if (me() == 0) *place = 0;
  __syncthreads();
  unsigned seen = 0;
  for (unsigned old; (old = atomicCAS(place, seen, seen + 1)) != seen;) seen = old;
  out[me()] = static_cast<float>(seen);
}

// d = a · b with a[i, k] = in[i · 16 + k] and b[k, j] = in[256 + j · 16 + k], registers filled by hand.
void multiply_f16(const float* in, float* out) {
  const int g = me() / 4, t = me() % 4 * 2;
  const auto pair = [&](int at) { return f32_to_f16(in[at]) | uint32_t{f32_to_f16(in[at + 1])} << 16; };
  const uint32_t a[4] = {pair(g * 16 + t), pair((g + 8) * 16 + t), pair(g * 16 + t + 8), pair((g + 8) * 16 + t + 8)};
  const uint32_t b[2] = {pair(256 + g * 16 + t), pair(256 + g * 16 + t + 8)};
  float d[4] = {};
  mma_f16(d, a, b);
  for (int i = 0; i < 4; ++i) out[(g + i / 2 * 8) * 8 + t + i % 2] = d[i];
}

}  // namespace

const Probe kInstructions[] = {
    {"shuffle up", shuffle_up, 0}, {"shuffle down", shuffle_down, 0},         {"shuffle index", shuffle_index, 0},
    {"ballot", ballot_halves, 0},  {"compare and swap", compare_and_swap, 4}, {"mma f16", multiply_f16, 0},
};
const int kInstructionCount = sizeof kInstructions / sizeof *kInstructions;

}  // namespace kvasir::simt_test
