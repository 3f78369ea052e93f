// Planted bugs of second operands with N along the row, as the values of attention lie, and of a stage that threads correct
// before wgmma reads it. Check their own results, as hopper.cu.
#include "native/cuda/ptx_hopper.h"
#include "test/simt/planted.h"

namespace kvasir::simt_test {
namespace {

using namespace cuda;

__device__ int me() { return static_cast<int>(threadIdx.x); }
__device__ int group_thread() { return me() % 128; }

__device__ int weight(int row, int k) { return (row * 7 + k * 5) % 15 - 7; }
__device__ int value(const float* in, int k, int column) { return static_cast<int>(in[(k * 131 + column) % 512] * 8); }

__device__ void fill(uint32_t* a, int first_row) {
  const int row = first_row + group_thread() / 32 * 16 + group_thread() % 32 / 4, k = group_thread() % 4 * 2;
  for (int r = 0; r < 4; ++r)
    a[r] = pack_f16(static_cast<float>(weight(row + r % 2 * 8, k + r / 2 * 8)),
                    static_cast<float>(weight(row + r % 2 * 8, k + r / 2 * 8 + 1)));
}

// How many of d[64, N], weights · [K 16, N] whose rows from `known` on count for nothing, are wrong.
template <int count>
__device__ float wrong_of(const float (&d)[count], const float* in, int first_row, int known) {
  float wrong = 0;
  for (int i = group_thread() % 5; i < count; i += 5) {
    const int row = first_row + group_thread() / 32 * 16 + group_thread() % 32 / 4 + i / 2 % 2 * 8;
    const int column = i / 4 * 8 + group_thread() % 4 * 2 + i % 2;
    float sum = 0;
    for (int k = 0; k < known; ++k) sum += static_cast<float>(weight(row, k) * value(in, k, column));
    wrong += sum != d[i];
  }
  return wrong;
}

// 64 or 128 columns, written by the threads.
enum class Lies { right, read_along, other_block, other_stride };
template <int N, Swizzle swizzle, Lies bug>
void across(const float* in, float* out) {
  constexpr uint32_t kWidth = swizzle == Swizzle::none ? 16 : 16u << static_cast<uint32_t>(swizzle);
  constexpr uint32_t kBlock =
      swizzle == Swizzle::none ? 128 : 16 * kWidth;  // from one to the next: along K, or along N
  constexpr uint32_t kStride = swizzle == Swizzle::none ? 256 : 8 * kWidth;
  auto* shared = reinterpret_cast<uint32_t*>(shared_memory());
  for (int i = me(); i < 16 * N / 2; i += 128) {
    const int k = i / (N / 2), column = i % (N / 2) * 2;
    const uint32_t bytes = column * 2;
    const uint32_t at = swizzle == Swizzle::none
                            ? bytes / 16 * kStride + k / 8 * kBlock + k % 8 * 16 + bytes % 16
                            : swizzled(bytes / kWidth * kBlock + k * kWidth + bytes % kWidth, swizzle);
    shared[at / 4] = pack_f16(static_cast<float>(value(in, k, column)), static_cast<float>(value(in, k, column + 1)));
  }
  fence_async();
  __syncthreads();
  uint32_t a[4];
  fill(a, 0);
  float d[N / 2];
  wgmma_fence();
  wgmma_f16<bug != Lies::read_along>(d, a,
                                     matrix_across(0, swizzle, bug == Lies::other_block ? kBlock * 2 : kBlock,
                                                   bug == Lies::other_stride ? kStride * 2 : kStride),
                                     false);
  wgmma_commit();
  wgmma_wait<0>();
  keep_behind(d);
  out[me()] = wrong_of(d, in, 0, 16);
}

// Two warpgroups read one stage [16, 64] whose last rows are NaN and become zeros first.
enum class Cleared { right, not_at_all, not_fenced, no_barrier };
template <Cleared bug>
void cleared(const float* in, float* out) {
  constexpr int kKnown = 11;
  auto* shared = reinterpret_cast<uint32_t*>(shared_memory());
  for (int i = me(); i < 16 * 32; i += 256) {
    const int k = i / 32, column = i % 32 * 2;
    shared[swizzled(k * 128 + column * 2, Swizzle::bytes128) / 4] =
        k < kKnown ? pack_f16(static_cast<float>(value(in, k, column)), static_cast<float>(value(in, k, column + 1)))
                   : 0x7E007E00u;
  }
  fence_async();
  __syncthreads();
  uint32_t a[4];
  fill(a, 0);
  for (int r = 0; r < 4; ++r) {
    const int k = group_thread() % 4 * 2 + r / 2 * 8;  // of its two weights
    if (k >= kKnown) a[r] = 0;
    if (k + 1 >= kKnown) a[r] &= 0xFFFF;
  }
  if (bug != Cleared::not_at_all)
    for (int i = kKnown * 32 + me(); i < 16 * 32; i += 256) shared[i] = 0;
  if (bug != Cleared::not_fenced) fence_async();
  if (bug != Cleared::no_barrier) barrier_sync(1, 256);
  float d[32];
  wgmma_fence();
  wgmma_f16<true>(d, a, matrix_across(0, Swizzle::bytes128, 2048, 1024), false);
  wgmma_commit();
  wgmma_wait<0>();
  keep_behind(d);
  out[me()] = wrong_of(d, in, 0, kKnown);
}

#define KVASIR_ACROSS(words, finding, N, swizzle, bug) \
  { words, finding, across<N, Swizzle::swizzle, Lies::bug>, 1, 16384, Result::zeros, 128, 512 }
#define KVASIR_CLEARED(words, finding, bug) \
  { words, finding, cleared<Cleared::bug>, 1, 4096, Result::zeros, 256, 512 }

}  // namespace

const Planted kPlantedAcross[] = {
    KVASIR_ACROSS("wgmma across, no swizzle", nullptr, 64, none, right),
    KVASIR_ACROSS("wgmma across, 32 bytes", nullptr, 64, bytes32, right),
    KVASIR_ACROSS("wgmma across, 64 bytes", nullptr, 128, bytes64, right),
    KVASIR_ACROSS("wgmma across, 128 bytes", nullptr, 64, bytes128, right),
    KVASIR_ACROSS("wgmma across, 128 bytes and columns", nullptr, 128, bytes128, right),
    KVASIR_ACROSS("wgmma across: read along", "values|uninitialised", 64, bytes128, read_along),
    KVASIR_ACROSS("wgmma across: another distance of the columns", "uninitialised", 128, bytes128, other_block),
    KVASIR_ACROSS("wgmma across: another distance of the rows", "values|uninitialised", 64, bytes128, other_stride),
    KVASIR_CLEARED("a stage made good", nullptr, right),
    KVASIR_CLEARED("a stage made good: not at all", "values", not_at_all),
    KVASIR_CLEARED("a stage made good: not fenced", "unfenced", not_fenced),
    KVASIR_CLEARED("a stage made good: no barrier of those who read it", "race", no_barrier),
};
const int kPlantedAcrossCount = sizeof kPlantedAcross / sizeof *kPlantedAcross;

}  // namespace kvasir::simt_test
