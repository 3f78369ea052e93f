// The planted bugs.
#include "test/simt/planted.h"

#include "native/cuda/ptx.h"

namespace kvasir::simt_test {
namespace {

using namespace cuda;

__device__ float* scratch() { return reinterpret_cast<float*>(shared_memory()); }
__device__ int me() { return static_cast<int>(threadIdx.x); }
__device__ void copy_mine(const float* in) {  // 16 threads bring all 64 floats
  if (me() < 16) copy_async16(shared_offset(scratch() + me() * 4), in + me() * 4, 16);
  copy_commit();
}

// Each thread hands its value to the thread opposite.
template <bool before, bool after>
void exchange(const float* in, float* out) {
  scratch()[me()] = in[me()];
  if (before) __syncthreads();
  const float other = scratch()[63 - me()];
  if (after) __syncthreads();
  scratch()[me()] = other + 1.0f;
  out[me()] = scratch()[me()];
}

// Within a warp: __syncwarp orders, a shuffle does not.
template <bool ordered>
void exchange_in_warp(const float* in, float* out) {
  scratch()[me()] = in[me()];
  if (ordered)
    __syncwarp();
  else
    __shfl_xor_sync(0xFFFFFFFFu, 0, 1);
  out[me()] = scratch()[me() ^ 1];
}

// 0: right; 1: reads before the wait; 2: waits for too few; 3: no barrier after the wait; 4: writes what is being written
template <int bug>
void copied(const float* in, float* out) {
  copy_mine(in);
  if (bug == 4) scratch()[me()] = 0.0f;
  if (bug == 2) copy_wait<1>();
  if (bug != 1 && bug != 2) copy_wait<0>();
  if (bug != 3) __syncthreads();
  out[me()] = scratch()[63 - me()];
  copy_wait<0>();
}

template <int past>
void shared_bounds(const float* in, float* out) {
  scratch()[me() + past] = in[me()];
  out[me()] = scratch()[me() + past];
}
void copy_bounds(const float* in, float*) { copy_async16(shared_offset(scratch() + 62 + me()) & ~15u, in, 16); }
void global_bounds(const float* in, float* out) { out[me()] = in[me() + 1]; }
void global_bounds_write(const float* in, float* out) { out[me() + 1] = in[me()]; }
void uninitialised_shared(const float*, float* out) { out[me()] = scratch()[me()]; }
void uninitialised_global(const float* in, float* out) { out[me()] += in[me()]; }

void half_at_barrier(const float* in, float* out) {
  if (me() < 32) __syncthreads();
  out[me()] = in[me()];
}
void lane_missing(const float* in, float* out) {
  out[me()] = in[me()];
  if (me() != 5) __syncwarp();
}
void lane_not_in_mask(const float*, float* out) { out[me()] = static_cast<float>(__shfl_sync(0x55555555u, me(), 0)); }
void shuffle_from_outside(const float*, float* out) {
  out[me()] = me() % 32 < 16 ? static_cast<float>(__shfl_xor_sync(0x0000FFFFu, me(), 16)) : 0.0f;
}
void misaligned_ldmatrix(const float* in, float*) {
  scratch()[me()] = in[me()];
  __syncthreads();
  uint32_t to[4];
  ldmatrix_x4(to, (me() & 7) * 16 + 8);
}

// Two warps and a named barrier: the first writes and arrives, the second waits and reads.
template <bool waits>
void named(const float* in, float* out) {
  if (me() < 32) {
    scratch()[me()] = in[me()];
    barrier_arrive(1, 64);
  } else {
    if (waits)
      barrier_sync(1, 64);
    else
      barrier_arrive(1, 64);
    out[me()] = scratch()[me() - 32];
  }
}

void blocks_write_one_place(const float* in, float* out) {
  if (me() == 0) out[0] = in[0];
}
void blocks_add_plainly(const float* in, float* out) {
  float* mine = const_cast<float*>(in);
  if (me() == 0) mine[0] += 1.0f;
  out[blockIdx.x * 64 + me()] = 0.0f;
}
void blocks_add_atomically(const float* in, float* out) {
  atomicAdd(const_cast<float*>(in), 1.0f);
  out[blockIdx.x * 64 + me()] = 0.0f;
}
void atomic_and_plain(const float* in, float* out) {
  if (me() < 32) atomicAdd(const_cast<float*>(in), 1.0f);
  out[me()] = me() < 32 ? 0.0f : in[0];
}

// Every lane touches a word; the words of neighbours are `stride` apart.
template <int stride>
void strided_shared(const float* in, float*) {
  scratch()[me() * stride] = in[0];
}
template <int stride>
void strided_global(const float* in, float* out) {
  out[me()] = in[me() * stride];
}

}  // namespace

const Probe kProbes[] = {
    {"shared, stride 1", strided_shared<1>, 64 * 4},
    {"shared, stride 2", strided_shared<2>, 64 * 2 * 4},
    {"shared, stride 32", strided_shared<32>, 64 * 32 * 4},
    {"shared, stride 33", strided_shared<33>, 64 * 33 * 4},
    {"global, stride 1", strided_global<1>, 0},
    {"global, stride 8", strided_global<8>, 0},
};
const int kProbeCount = sizeof kProbes / sizeof *kProbes;

const Planted kPlanted[] = {
    {"exchange", nullptr, exchange<true, true>},
    {"exchange: no barrier before the read", "race", exchange<false, true>},
    {"exchange: no barrier before the overwrite", "race", exchange<true, false>},
    {"exchange in a warp", nullptr, exchange_in_warp<true>},
    {"exchange in a warp, ordered by a shuffle", "race", exchange_in_warp<false>},
    {"cp.async", nullptr, copied<0>},
    {"cp.async: no wait", "in-flight", copied<1>},
    {"cp.async: waits for all groups but one", "in-flight", copied<2>},
    {"cp.async: no barrier", "race", copied<3>},
    {"cp.async: written over meanwhile", "in-flight", copied<4>},
    {"shared memory", nullptr, shared_bounds<0>},
    {"shared memory: past the end", "bounds", shared_bounds<1>},
    {"cp.async: past the end", "bounds", copy_bounds},
    {"global read past the end", "bounds", global_bounds},
    {"global write past the end", "bounds", global_bounds_write},
    {"uninitialised shared memory", "uninitialised", uninitialised_shared},
    {"uninitialised global memory", "uninitialised", uninitialised_global},
    {"half a block at a barrier", "deadlock", half_at_barrier},
    {"a lane missing at __syncwarp", "deadlock", lane_missing},
    {"a lane not in its mask", "divergence", lane_not_in_mask},
    {"a shuffle from outside its mask", "divergence", shuffle_from_outside},
    {"ldmatrix: row not at 16 bytes", "misaligned", misaligned_ldmatrix},
    {"named barrier", nullptr, named<true>},
    {"named barrier: arrives only", "race", named<false>},
    {"blocks write one place", "race", blocks_write_one_place, 2},
    {"blocks add plainly", "race", blocks_add_plainly, 2},
    {"blocks add atomically", nullptr, blocks_add_atomically, 2},
    {"an atomic and a plain read", "race", atomic_and_plain},
};
const int kPlantedCount = sizeof kPlanted / sizeof *kPlanted;

}  // namespace kvasir::simt_test
