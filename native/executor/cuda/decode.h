// Steps in which every sequence has one token come again and again; they are padded to a few sizes, so that each size is
// recorded once and replayed.
#pragma once

#include <compare>
#include <cstdint>

#include "native/cuda/contract.h"
#include "native/executor/step.h"

namespace kvasir::cuda {

// Which recorded step serves: what is baked into its launches.
struct DecodeShape {
  int32_t program = 0;
  int32_t sequences = 0;  // after padding
  int32_t splits = 0;     // of the longest context, rounded up
  auto operator<=>(const DecodeShape&) const = default;

  StepExtent extent() const { return {1, 1, splits * kSplitTokens}; }
};

bool is_decode(const StepBuffers& step);

StepExtent extent_of(const StepBuffers& step);

// The size that `sequences` are padded to: a power of two up to 8, then a multiple of 8, but at most `most`.
int32_t padded_sequences(int32_t sequences, int32_t most);

DecodeShape decode_shape(int32_t program, const StepBuffers& step, int32_t most);

// Adds sequences of one token at position 0, which write to `page` and whose rows are scored with `slot`; nobody else may
// use the two.
void pad(StepBuffers& step, int32_t sequences, int32_t slot, int32_t page);

}  // namespace kvasir::cuda
