#include "native/executor/cuda/step_arrays.h"

#include <algorithm>

namespace kvasir::cuda {

StepArrays::StepArrays(const StepLimits& limits) {
  int64_t next = 0;
  const auto place = [&next](int64_t count) {
    const int64_t at = next;
    next += (count + 63) / 64 * 64;
    return at;
  };
  token_ids_ = place(limits.tokens);
  of_token_ = place(limits.tokens);
  start_ = place(int64_t{limits.sequences} + 1);
  position_ = place(limits.sequences);
  block_start_ = place(int64_t{limits.sequences} + 1);
  seq_slot_ = place(limits.sequences);
  row_index_ = place(limits.rows);
  row_slot_ = place(limits.rows);
  row_position_ = place(limits.rows);
  row_target_ = place(limits.rows);
  row_mask_ = place(limits.rows);
  // The long ones last: most steps use little of the first and nothing of the second. A padding sequence has a block too.
  blocks_ = place(int64_t{limits.blocks} + limits.sequences);
  copies_ = place(int64_t{2} * limits.pages);
  end_ = next;
}

int64_t StepArrays::write(const StepBuffers& step, uint8_t* block) const {
  const auto put = [&](int64_t offset, const std::vector<int32_t>& values) {
    std::copy(values.begin(), values.end(), at(block, offset));
  };
  put(token_ids_, step.token_ids);
  put(of_token_, step.of_token);
  put(start_, step.start);
  put(position_, step.position);
  put(block_start_, step.block_start);
  put(seq_slot_, step.seq_slot);
  put(row_index_, step.row_index);
  put(row_slot_, step.row_slot);
  put(row_position_, step.row_position);
  put(row_target_, step.row_target);
  std::fill_n(at(block, row_mask_), step.rows, -1);
  put(blocks_, step.blocks);
  put(copies_, step.copies);
  const int64_t used = step.copies.empty() ? blocks_ + static_cast<int64_t>(step.blocks.size())
                                           : copies_ + static_cast<int64_t>(step.copies.size());
  return used * int64_t{sizeof(int32_t)};
}

StepInputs StepArrays::inputs(int32_t tokens, int32_t sequences, int32_t rows, uint8_t* block) const {
  StepInputs inputs;
  inputs.tokens = tokens;
  inputs.rows = rows;
  inputs.token_ids = at(block, token_ids_);
  inputs.sequences = {sequences,          at(block, start_),   at(block, position_), at(block, block_start_),
                      at(block, blocks_), at(block, of_token_)};
  inputs.seq_slot = at(block, seq_slot_);
  inputs.row_index = at(block, row_index_);
  inputs.row_slot = at(block, row_slot_);
  inputs.row_position = at(block, row_position_);
  inputs.row_target = at(block, row_target_);
  return inputs;
}

}  // namespace kvasir::cuda
