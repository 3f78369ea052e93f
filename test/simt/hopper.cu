// Planted bugs of what compute capability 9.0 brings: boxes of tensor maps into stages, wgmma of a warpgroup on them, fences,
// registers that warps hand over. All check their own results: out is what is found less what it should be.
#include "native/cuda/ptx_hopper.h"
#include "test/simt/planted.h"

namespace kvasir::simt_test {
namespace {

using namespace cuda;

__device__ int me() { return static_cast<int>(threadIdx.x); }
__device__ int lane() { return me() % 32; }

// The first operand: s8 or the same integers as bf16.
__device__ int weight(int row, int k) { return (row * 7 + k * 5) % 15 - 7; }
__device__ uint32_t four(int row, int k) {
  uint32_t word = 0;
  for (int i = 0; i < 4; ++i) word |= static_cast<uint32_t>(weight(row, k + i) & 255) << 8 * i;
  return word;
}
__device__ uint32_t two(int row, int k) {
  return pack_bf16(static_cast<float>(weight(row, k)), static_cast<float>(weight(row, k + 1)));
}
// This thread's registers of 32 bytes of K.
template <typename Pack>
__device__ void fill(uint32_t* a, int k, int each, Pack pack) {
  const int row = me() / 32 % 4 * 16 + lane() / 4, column = k + lane() % 4 * each;
  for (int r = 0; r < 4; ++r) a[r] = pack(row + r % 2 * 8, column + r / 2 * 4 * each);
}
// The row and column of d[i].
__device__ int row_of(int i) { return me() / 32 % 4 * 16 + lane() / 4 + i / 2 % 2 * 8; }
__device__ int column_of(int i) { return i / 4 * 8 + lane() % 4 * 2 + i % 2; }

// Some of d[64, 64] less weights · in, in [64, K] s8.
__device__ float error_s8(const int32_t* d, const float* in, int stride, int K) {
  const auto* b = reinterpret_cast<const int8_t*>(in);
  int wrong = 0;
  for (int i = me() % 7; i < 32; i += 7) {
    int sum = 0;
    for (int k = 0; k < K; ++k) sum += weight(row_of(i), k) * b[column_of(i) * stride + k];
    wrong += sum != d[i];
  }
  return static_cast<float>(wrong);
}

// Four tiles of 64 rows × 64 bytes, by one thread of a fifth warp into two stages, for wgmma of the first four warps.
enum class Tiles {
  right,
  reads_early,
  not_committed,
  released_early,
  released_by_one_warp,
  expects_too_little,
  expects_too_much,
  other_swizzle,
  phase_does_not_turn,
  other_stage,
  registers_not_fenced,
  register_changes,
  a_warp_is_missing,
  init_not_fenced,
  box_past_the_end,
  box_misaligned,
  map_not_encoded,
};
constexpr uint32_t kTile = 4096, kFull = 2 * kTile, kEmpty = kFull + 16, kTilesShared = kEmpty + 16;
constexpr int kTiles = 4, kCols = kTiles * 64;

template <Tiles bug>
void tiles(const float* in, float* out) {
  if (me() == 0) {
    for (int s = 0; s < 2; ++s) {
      mbarrier_init(kFull + s * 8, 1);
      mbarrier_init(kEmpty + s * 8, bug == Tiles::released_by_one_warp ? 1 : 4);
    }
    if (bug != Tiles::init_not_fenced) fence_barrier_init();
  }
  __syncthreads();
  out[me()] = 0.0f;
  if (me() >= 128) {
    if (me() > 128) return;
    TensorMap map = {};
    if (bug != Tiles::map_not_encoded) map = simt::encode({in, 1, kCols, 64, kCols, 64, 64, Swizzle::bytes64});
    for (int tile = 0; tile < kTiles; ++tile) {
      const uint32_t stage = tile % 2, full = kFull + stage * 8;
      mbarrier_wait(kEmpty + stage * 8, (tile / 2 & 1) ^ 1);
      mbarrier_expect(full, bug == Tiles::expects_too_little ? kTile / 2
                            : bug == Tiles::expects_too_much ? kTile * 2
                                                             : kTile);
      const uint32_t to = stage * kTile + (bug == Tiles::box_past_the_end ? kTile * 2
                                           : bug == Tiles::box_misaligned ? 64
                                                                          : 0);
      load_box(to, &map, tile * 64, 0, full);
    }
    return;
  }
  if (bug == Tiles::a_warp_is_missing && me() >= 96) return;
  int32_t d[32];
  for (int tile = 0; tile < kTiles; ++tile) {
    const uint32_t stage = bug == Tiles::other_stage ? (tile + 1) % 2 : tile % 2, empty = kEmpty + tile % 2 * 8;
    mbarrier_wait(kFull + tile % 2 * 8, bug == Tiles::phase_does_not_turn ? 0 : tile / 2 & 1);
    uint32_t a[2][4];
    for (int half = 0; half < 2; ++half) fill(a[half], tile * 64 + half * 32, 4, four);
    if (bug != Tiles::registers_not_fenced) wgmma_fence();
    for (int half = 0; half < 2; ++half) {
      const Swizzle swizzle = bug == Tiles::other_swizzle ? Swizzle::bytes32 : Swizzle::bytes64;
      wgmma_s8(d, a[half], matrix_at(stage * kTile + half * 32, swizzle, 0, 512), tile + half > 0);
    }
    if (bug == Tiles::register_changes) a[0][0] = 0;
    if (bug != Tiles::not_committed) wgmma_commit();
    if (bug == Tiles::released_early && lane() == 0) mbarrier_arrive(empty);
    if (bug == Tiles::reads_early && tile == kTiles - 1) out[me()] = static_cast<float>(d[0]);
    wgmma_wait<0>();
    keep_behind(d);
    if (bug == Tiles::released_by_one_warp ? me() == 0 : bug != Tiles::released_early && lane() == 0)
      mbarrier_arrive(empty);
  }
  if (bug == Tiles::not_committed || bug == Tiles::right) out[me()] = error_s8(d, in, kCols, kCols);
}

// One tile written by the threads themselves, 64 rows × 32 bytes, the chunks of a row exchanged as `swizzle` says.
enum class Written { right, not_fenced, no_barrier, other_place };
template <Written bug>
void written(const float* in, float* out) {
  const auto* from = reinterpret_cast<const uint32_t*>(in) + me() * 4;
  auto* stage = reinterpret_cast<unsigned char*>(shared_memory());
  const uint32_t to = bug == Written::other_place ? me() * 16 : swizzled(me() * 16, Swizzle::bytes32);
  for (int i = 0; i < 4; ++i) reinterpret_cast<uint32_t*>(stage + to)[i] = from[i];
  if (bug != Written::not_fenced) fence_async();
  if (bug != Written::no_barrier) __syncthreads();
  int32_t d[32];
  uint32_t a[4];
  fill(a, 0, 4, four);
  wgmma_fence();
  wgmma_s8(d, a, matrix_at(0, Swizzle::bytes32, 0, 256), false);
  wgmma_commit();
  wgmma_wait<0>();
  keep_behind(d);
  out[me()] = error_s8(d, in, 32, 32);
}

// in as [64, 16] integers that fit bf16, and both operands wherever they may be.
template <bool in_registers, Swizzle swizzle>
void of_bf16(const float* in, float* out) {
  const auto value = [&](int row, int k) { return static_cast<float>(static_cast<int>(in[(row * 16 + k) % 512] * 8)); };
  auto* shared = reinterpret_cast<uint32_t*>(shared_memory());
  constexpr uint32_t kB = 4096;
  // Rows of 32 bytes in a swizzle's width, or in blocks of 8 × 16 bytes.
  const auto place = [](int row, int pair) -> uint32_t {
    const uint32_t bytes = pair * 4;
    if (swizzle == Swizzle::none) return row / 8 * 256 + bytes / 16 * 128 + row % 8 * 16 + bytes % 16;
    return swizzled(row * (16u << static_cast<uint32_t>(swizzle)) + bytes, swizzle);
  };
  for (int i = me(); i < 64 * 8; i += 128) {
    const int row = i / 8, pair = i % 8;
    shared[place(row, pair) / 4] = two(row, pair * 2);
    shared[(kB * 2 + place(row, pair)) / 4] = pack_bf16(value(row, pair * 2), value(row, pair * 2 + 1));
  }
  fence_async();
  __syncthreads();
  constexpr uint32_t kStride = swizzle == Swizzle::none ? 256 : 128u << static_cast<uint32_t>(swizzle);
  uint32_t a[4];
  fill(a, 0, 2, two);
  float d[32];
  for (float& x : d) x = 1.0f;
  wgmma_fence();
  const uint64_t b = matrix_at(kB * 2, swizzle, 128, kStride);
  for (int i = 0; i < 2; ++i) {
    if (in_registers)
      wgmma_bf16(d, a, b, true);
    else
      wgmma_bf16(d, matrix_at(0, swizzle, 128, kStride), b, true);
  }
  wgmma_commit();
  wgmma_wait<0>();
  keep_behind(d);
  float wrong = 0;
  for (int i = me() % 7; i < 32; i += 7) {
    float sum = 1.0f;
    for (int k = 0; k < 16; ++k) sum += 2 * static_cast<float>(weight(row_of(i), k)) * value(column_of(i), k);
    wrong += sum != d[i];
  }
  out[me()] = wrong;
}

// A box that hangs over two edges of a matrix [40, 60] of bytes: zeros there, and all its bytes count.
void over_the_edge(const float* in, float* out) {
  if (me() == 0) {
    mbarrier_init(2048, 1);
    fence_barrier_init();
    const TensorMap map = simt::encode({in, 1, 60, 40, 64, 32, 64, Swizzle::bytes32});
    mbarrier_expect(2048, 2048);
    load_box(0, &map, 40, -3, 2048);
  }
  __syncthreads();
  mbarrier_wait(2048, 0);
  float wrong = 0;
  for (int i = me(); i < 64 * 32; i += 128) {
    const int row = i / 32 - 3, column = i % 32 + 40;
    const bool inside = row >= 0 && row < 40 && column < 60;
    const uint8_t expected = inside ? reinterpret_cast<const uint8_t*>(in)[row * 64 + column] : 0;
    wrong += shared_memory()[swizzled(i, Swizzle::bytes32)] != expected;
  }
  out[me()] = wrong;
}

enum class Handed { right, not_given, gives_more_than_it_has };
template <Handed bug>
void registers(const float*, float* out) {  // 256 threads of 64 registers
  if (me() >= 128) {
    if (bug == Handed::right) give_registers<32>();
    if (bug == Handed::gives_more_than_it_has) give_registers<96>();
  } else if (bug != Handed::gives_more_than_it_has) {
    take_registers<96>();
  }
  out[me()] = 0.0f;
}

#define KVASIR_TILES(words, finding, bug) \
  { words, finding, tiles<Tiles::bug>, 1, kTilesShared, Result::anything, 160, 4096 }

}  // namespace

const Planted kPlantedHopper[] = {
    {"wgmma on tiles", nullptr, tiles<Tiles::right>, 1, kTilesShared, Result::zeros, 160, 4096},
    KVASIR_TILES("wgmma: its result is read before the wait", "in-flight", reads_early),
    KVASIR_TILES("wgmma: not committed", "in-flight", not_committed),
    KVASIR_TILES("wgmma: the stage is released before the wait", "race", released_early),
    KVASIR_TILES("wgmma: the stage is released by one warp for all", "race", released_by_one_warp),
    KVASIR_TILES("box: expects too few bytes", "transaction|in-flight", expects_too_little),
    KVASIR_TILES("box: expects too many bytes", "deadlock", expects_too_much),
    KVASIR_TILES("wgmma: another swizzle than the box", "swizzle", other_swizzle),
    KVASIR_TILES("wgmma: the phase does not turn", "in-flight|race|deadlock", phase_does_not_turn),
    KVASIR_TILES("wgmma: the other stage", "in-flight|race|uninitialised", other_stage),
    KVASIR_TILES("wgmma: no fence behind its registers", "unfenced", registers_not_fenced),
    KVASIR_TILES("wgmma: a register changes under it", "in-flight", register_changes),
    KVASIR_TILES("wgmma: a warp is missing", "deadlock", a_warp_is_missing),
    KVASIR_TILES("box: no fence behind the barrier's init", "unfenced", init_not_fenced),
    KVASIR_TILES("box: past the end of shared memory", "bounds", box_past_the_end),
    KVASIR_TILES("box: not at 128 bytes", "misaligned", box_misaligned),
    KVASIR_TILES("box: a map that nobody encoded", "uninitialised", map_not_encoded),
    {"wgmma on what threads wrote", nullptr, written<Written::right>, 1, 2048, Result::zeros, 128, 512},
    {"wgmma: writes are not fenced", "unfenced", written<Written::not_fenced>, 1, 2048, Result::zeros, 128, 512},
    {"wgmma: no barrier behind the writes", "race", written<Written::no_barrier>, 1, 2048, Result::zeros, 128, 512},
    {"wgmma: chunks are not exchanged", "values", written<Written::other_place>, 1, 2048, Result::zeros, 128, 512},
    {"wgmma bf16, no swizzle", nullptr, of_bf16<false, Swizzle::none>, 1, 16384, Result::zeros, 128, 512},
    {"wgmma bf16, 32 bytes", nullptr, of_bf16<false, Swizzle::bytes32>, 1, 16384, Result::zeros, 128, 512},
    {"wgmma bf16, 64 bytes", nullptr, of_bf16<false, Swizzle::bytes64>, 1, 16384, Result::zeros, 128, 512},
    {"wgmma bf16, 128 bytes", nullptr, of_bf16<false, Swizzle::bytes128>, 1, 16384, Result::zeros, 128, 512},
    {"wgmma bf16, from registers", nullptr, of_bf16<true, Swizzle::bytes128>, 1, 16384, Result::zeros, 128, 512},
    {"box over the edge", nullptr, over_the_edge, 1, 2056, Result::zeros, 128, 640},
    {"registers handed over", nullptr, registers<Handed::right>, 1, 0, Result::zeros, 256, 64, 64},
    {"registers: nobody gives any", "deadlock", registers<Handed::not_given>, 1, 0, Result::anything, 256, 64, 64},
    {"registers: gives more than it has", "registers", registers<Handed::gives_more_than_it_has>, 1, 0,
     Result::anything, 256, 64, 64},
};
const int kPlantedHopperCount = sizeof kPlantedHopper / sizeof *kPlantedHopper;

}  // namespace kvasir::simt_test
