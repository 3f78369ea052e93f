// Queues a step's kernels on a stream: each instruction of the tape as its launches, nothing between them.
#pragma once

#include "native/cuda/contract.h"
#include "native/driver/kernels.h"
#include "native/driver/stream.h"
#include "native/executor/cuda/slots.h"
#include "native/executor/run.h"

namespace kvasir::cuda {

// Who runs it, beside the card's memory, which is in Bindings and StepInputs.
struct Card {
  const driver::Context& context;
  driver::Stream& stream;
  driver::Kernels& kernels;
  const CardSlots& slots;
  const int32_t* row_mask;  // as in DeviceSample
  const uint32_t* masks;
  int32_t mask_words;
  DeviceFacts facts;
  uint8_t* rounded;  // rounded_bytes() of the largest step, where linear goes by wgmma with 16-bit weights
};

template <typename Op>
void queue_op(const Op& op, const Card& card) {
  const Launches launches = plan(op, card.facts);
  for (int i = 0; i < launches.count; ++i) {
    const Launch& launch = launches.launch[i];
    card.stream.launch(card.kernels.find(launch.kernel, launch.shared_bytes),
                       {launch.grid.x, launch.grid.y, launch.grid.z}, {launch.block.x, launch.block.y, launch.block.z},
                       launch.shared_bytes, &op);
  }
}

void queue_tape(const Program& program, const Bindings& bindings, const StepInputs& step, const StepExtent& extent,
                const Card& card);

}  // namespace kvasir::cuda
