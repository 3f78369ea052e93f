// Planted bugs of pipelines: cp.async in stages, and bulk copies that land at mbarriers. All turn 64 floats backwards.
#include "native/cuda/ptx_hopper.h"
#include "test/simt/planted.h"

namespace kvasir::simt_test {
namespace {

using namespace cuda;

__device__ int me() { return static_cast<int>(threadIdx.x); }
__device__ float* shared() { return reinterpret_cast<float*>(shared_memory()); }

// Four tiles of 16 floats through two stages.
enum class Staged { right, no_barrier_at_the_end, reads_the_other_stage, waits_for_one_too_few, no_group_at_the_end };
template <Staged bug>
void staged(const float* in, float* out) {
  const auto load = [&](int tile) {
    if (tile < 4 && me() < 4)
      copy_async16(shared_offset(shared() + tile % 2 * 16 + me() * 4), in + tile * 16 + me() * 4, 16);
    if (tile < 4 || bug != Staged::no_group_at_the_end) copy_commit();
  };
  load(0);
  for (int tile = 0; tile < 4; ++tile) {
    load(tile + 1);
    if (bug == Staged::waits_for_one_too_few)
      copy_wait<2>();
    else
      copy_wait<1>();
    __syncthreads();
    const int stage = bug == Staged::reads_the_other_stage ? (tile + 1) % 2 : tile % 2;
    if (me() >= 16 && me() < 32) out[63 - tile * 16 - (me() - 16)] = shared()[stage * 16 + me() - 16];
    if (bug != Staged::no_barrier_at_the_end) __syncthreads();
  }
  copy_wait<0>();
}

// Chunks of 16 bytes, 4 to a row, stored at chunk ^ row.
template <int off>
void swizzled(const float* in, float* out) {
  const auto at = [](int row, int chunk) { return (row * 4 + (chunk ^ row)) * 4; };
  if (me() < 16) copy_async16(shared_offset(shared() + at(me() / 4, me() % 4)), in + me() * 4, 16);
  copy_commit();
  copy_wait<0>();
  __syncthreads();
  out[63 - me()] = shared()[at(me() / 16, (me() / 4 % 4) ^ off) + me() % 4];
}

// One bulk copy. The barrier lies behind the data.
constexpr uint32_t kBarrier = 256;
enum class Bulk {
  right,
  expects_too_little,
  expects_too_much,
  no_wait,
  waits_for_the_phase_before,
  used_before_init_is_seen,
  counts_an_arrival_too_many,
  past_the_end,
  never_made,
  init_is_not_fenced,
};
template <Bulk bug>
void bulk(const float* in, float* out) {
  if (me() == 0 && bug != Bulk::never_made) mbarrier_init(kBarrier, bug == Bulk::counts_an_arrival_too_many ? 2 : 1);
  if (bug != Bulk::init_is_not_fenced) fence_barrier_init();
  if (bug != Bulk::used_before_init_is_seen) __syncthreads();
  if (me() == (bug == Bulk::used_before_init_is_seen ? 32 : 0)) {
    mbarrier_expect(kBarrier, bug == Bulk::expects_too_little ? 128 : bug == Bulk::expects_too_much ? 512 : 256);
    copy_bulk(bug == Bulk::past_the_end ? 128 : 0, in, 256, kBarrier);
  }
  if (bug != Bulk::no_wait) mbarrier_wait(kBarrier, bug == Bulk::waits_for_the_phase_before ? 1 : 0);
  out[63 - me()] = shared()[me()];
}

// A producer and 32 consumers with one stage of 16 floats and two barriers.
enum class Handed { right, producer_does_not_wait, released_before_read, released_by_one, phase_does_not_turn };
template <Handed bug>
void handed(const float* in, float* out) {
  constexpr uint32_t kFull = 64, kEmpty = 72;
  if (me() == 0) {
    mbarrier_init(kFull, 1);
    mbarrier_init(kEmpty, bug == Handed::released_by_one ? 1 : 32);
    fence_barrier_init();
  }
  __syncthreads();
  if (me() == 0)
    for (int tile = 0; tile < 4; ++tile) {
      if (bug != Handed::producer_does_not_wait) mbarrier_wait(kEmpty, (tile & 1) ^ 1);
      mbarrier_expect(kFull, 64);
      copy_bulk(0, in + tile * 16, 64, kFull);
    }
  if (me() < 32) return;
  for (int tile = 0; tile < 4; ++tile) {
    mbarrier_wait(kFull, bug == Handed::phase_does_not_turn ? 0 : tile & 1);
    if (bug == Handed::released_before_read) mbarrier_arrive(kEmpty);
    if (me() < 48) out[63 - tile * 16 - (me() - 32)] = shared()[me() - 32];
    if (bug == Handed::released_by_one ? me() == 32 : bug != Handed::released_before_read) mbarrier_arrive(kEmpty);
  }
}

}  // namespace

const Planted kPlantedPipelines[] = {
    {"stages", nullptr, staged<Staged::right>, 1, 128, Result::reversed},
    {"stages: no barrier before a stage is filled again", "race", staged<Staged::no_barrier_at_the_end>, 1, 128},
    {"stages: reads the stage that is being filled", "in-flight", staged<Staged::reads_the_other_stage>, 1, 128},
    {"stages: waits for one group too few", "in-flight", staged<Staged::waits_for_one_too_few>, 1, 128},
    {"stages: no empty group at the end", "in-flight", staged<Staged::no_group_at_the_end>, 1, 128},
    {"swizzle", nullptr, swizzled<0>, 1, 256, Result::reversed},
    {"swizzle: another one for the read", "values", swizzled<1>, 1, 256, Result::reversed},
    {"bulk copy", nullptr, bulk<Bulk::right>, 1, 264, Result::reversed},
    {"bulk copy: expects too few bytes", "transaction", bulk<Bulk::expects_too_little>, 1, 264},
    {"bulk copy: expects too many bytes", "deadlock", bulk<Bulk::expects_too_much>, 1, 264},
    {"bulk copy: no wait", "in-flight", bulk<Bulk::no_wait>, 1, 264},
    {"bulk copy: waits for the phase before", "in-flight", bulk<Bulk::waits_for_the_phase_before>, 1, 264},
    {"mbarrier: used before its init is seen", "race", bulk<Bulk::used_before_init_is_seen>, 1, 264},
    {"mbarrier: counts an arrival too many", "deadlock", bulk<Bulk::counts_an_arrival_too_many>, 1, 264},
    {"bulk copy: past the end", "bounds", bulk<Bulk::past_the_end>, 1, 264},
    {"mbarrier: never made", "uninitialised", bulk<Bulk::never_made>, 1, 264},
    {"mbarrier: no fence behind its init", "unfenced", bulk<Bulk::init_is_not_fenced>, 1, 264},
    {"handed over", nullptr, handed<Handed::right>, 1, 80, Result::reversed},
    {"handed over: the producer does not wait", "in-flight", handed<Handed::producer_does_not_wait>, 1, 80},
    {"handed over: released before it is read", "race", handed<Handed::released_before_read>, 1, 80},
    {"handed over: released by one for all", "race", handed<Handed::released_by_one>, 1, 80},
    {"handed over: the phase does not turn", "deadlock", handed<Handed::phase_does_not_turn>, 1, 80},
};
const int kPlantedPipelineCount = sizeof kPlantedPipelines / sizeof *kPlantedPipelines;

}  // namespace kvasir::simt_test
