#include "native/executor/cuda/queue_tape.h"

#include "native/executor/walk.h"

namespace kvasir::cuda {
namespace {

struct OnStream {
  const Card& card;
  const StepExtent& extent;

  template <typename Op>
  void operator()(const Op& op) const {
    queue_op(op, card);
  }
  void operator()(const Linear& op) const {
    const auto encode = [this](const Boxes& boxes) { return card.context.encode(boxes); };
    if (uses_wgmma(op, card.facts)) return queue_op(with_boxes(op, encode), card);
    if (!uses_wgmma_half(op, card.facts)) return queue_op(op, card);
    if (op.x.rows == 0) return;
    const RoundRows rounded = round_rows_of(op, card.rounded);
    queue_op(rounded, card);
    queue_op(with_half_boxes(op, rounded, card.facts, encode), card);
  }
  void operator()(const Attention& op) const {
    const PagedAttention paged = plan_attention(op, extent, card.facts);
    if (!uses_wgmma(op, card.facts)) return queue_op(paged, card);
    queue_op(with_pages(paged, [this](const Boxes& boxes) { return card.context.encode(boxes); }), card);
  }
  void operator()(const GatedLinear& op) const {
    (*this)(op.both);
    queue_op(SwiGlu{.x = op.both.y, .y = op.y}, card);
  }
  // The two whose state is the slots' and not the step's.
  void operator()(const Sample& op) const {
    queue_op(DeviceSample{.logits = op.logits,
                          .slot = op.slot,
                          .position = op.position,
                          .target = op.target,
                          .mask = card.row_mask,
                          .masks = card.masks,
                          .mask_words = card.mask_words,
                          .slots = card.slots.samplers(),
                          .last_sampled = op.last_sampled,
                          .results = op.results},
             card);
  }
  void operator()(const Pool& op) const {
    queue_op(
        DevicePool{
            .sequences = op.sequences, .slot = op.slot, .x = op.x, .mean = op.mean, .pooled = card.slots.pooled()},
        card);
  }
};

}  // namespace

void queue_tape(const Program& program, const Bindings& bindings, const StepInputs& step, const StepExtent& extent,
                const Card& card) {
  TapeWalk(program, bindings, step, OnStream{card, extent}).all();
}

}  // namespace kvasir::cuda
