// A step's arrays as one block, in pinned memory and at fixed addresses on the card, so that a recorded step finds the
// next one's values where it found its own.
#pragma once

#include <cstdint>

#include "native/executor/run.h"
#include "native/executor/step.h"

namespace kvasir::cuda {

// Offsets in i32, for the largest step.
class StepArrays {
 public:
  explicit StepArrays(const StepLimits& limits);

  int64_t bytes() const { return end_ * int64_t{sizeof(int32_t)}; }

  // Writes the step into `block` (this process's memory); returns the bytes in use, from the beginning.
  int64_t write(const StepBuffers& step, uint8_t* block) const;

  // The same step as kernels see it, with the block at `block` (the card's memory).
  StepInputs inputs(int32_t tokens, int32_t sequences, int32_t rows, uint8_t* block) const;

  // [L] which mask a row has; −1 after write().
  int32_t* row_mask(uint8_t* block) const { return at(block, row_mask_); }
  const int32_t* copies(uint8_t* block) const { return at(block, copies_); }

 private:
  static int32_t* at(uint8_t* block, int64_t offset) { return reinterpret_cast<int32_t*>(block) + offset; }

  int64_t token_ids_, of_token_, start_, position_, block_start_, seq_slot_;
  int64_t row_index_, row_slot_, row_position_, row_target_, row_mask_, blocks_, copies_, end_;
};

}  // namespace kvasir::cuda
