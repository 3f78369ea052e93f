// A step on the processor: the kernel of each instruction, with a barrier after it. To bind an instruction costs far less
// than the barrier, and so each thread does it for itself and nothing is bound ahead.
#include "native/executor/run.h"

#include "native/executor/walk.h"

namespace kvasir {
namespace {

struct OnThread {
  const cpu::KernelTable& kernels;
  const Worker& worker;
  const WeightStream* stream;
  Profile* profile;
  size_t at = 0;  // word of the instruction

  template <typename Op>
  void operator()(const Op& op) const {
    kernel_of(op)(op, worker);
    if (profile) profile->computed(worker.index, at);
    worker.sync();
    if (profile) profile->met(worker.index, at);
    if (stream && worker.index == 0) pass(op);
  }

 private:
  template <typename Op>
  void pass(const Op&) const {}
  void pass(const GatedLinear& op) const { pass(op.both); }
  void pass(const Linear& op) const {
    for (int i = 0; i < op.segments; ++i) stream->passed(op.segment[i].w);
  }

  auto kernel_of(const Embed&) const { return kernels.embed; }
  auto kernel_of(const RmsNorm&) const { return kernels.rms_norm; }
  auto kernel_of(const Quantize&) const { return kernels.quantize; }
  auto kernel_of(const Linear&) const { return kernels.linear; }
  auto kernel_of(const GatedLinear&) const { return kernels.gated_linear; }
  auto kernel_of(const RopeTable&) const { return kernels.rope_table; }
  auto kernel_of(const RopeKv&) const { return kernels.rope_kv; }
  auto kernel_of(const Attention&) const { return kernels.attention; }
  auto kernel_of(const SwiGlu&) const { return kernels.swiglu; }
  auto kernel_of(const Add&) const { return kernels.add; }
  auto kernel_of(const Sample&) const { return kernels.sample; }
  auto kernel_of(const Pool&) const { return kernels.pool; }
};

}  // namespace

void run_tape(const Program& program, const Bindings& bindings, const StepInputs& step, const Worker& worker) {
  if (bindings.profile) bindings.profile->begin(worker.index);
  TapeWalk(program, bindings, step, OnThread{*bindings.kernels, worker, bindings.stream, bindings.profile}).all();
}

}  // namespace kvasir
