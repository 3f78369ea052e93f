#include "native/executor/cuda/decode.h"

#include <algorithm>
#include <bit>

namespace kvasir::cuda {

bool is_decode(const StepBuffers& step) {
  const auto sequences = static_cast<int32_t>(step.position.size());
  if (step.tokens != sequences || step.rows != sequences) return false;
  for (int32_t r = 0; r < step.rows; ++r)
    if (step.row_index[r] != r) return false;
  return true;
}

StepExtent extent_of(const StepBuffers& step) {
  StepExtent extent{0, INT32_MAX, 0};
  for (size_t s = 0; s < step.position.size(); ++s) {
    const int32_t count = step.start[s + 1] - step.start[s];
    extent.most_tokens = std::max(extent.most_tokens, count);
    extent.fewest_tokens = std::min(extent.fewest_tokens, count);
    extent.context = std::max(extent.context, step.position[s] + count);
  }
  return extent;
}

int32_t padded_sequences(int32_t sequences, int32_t most) {
  const int32_t size =
      sequences <= 8 ? static_cast<int32_t>(std::bit_ceil(static_cast<uint32_t>(sequences))) : (sequences + 7) / 8 * 8;
  return std::min(size, most);
}

DecodeShape decode_shape(int32_t program, const StepBuffers& step, int32_t most) {
  const int32_t splits = (extent_of(step).context + kSplitTokens - 1) / kSplitTokens;
  return {program, padded_sequences(static_cast<int32_t>(step.position.size()), most),
          static_cast<int32_t>(std::bit_ceil(static_cast<uint32_t>(splits)))};
}

void pad(StepBuffers& step, int32_t sequences, int32_t slot, int32_t page) {
  for (auto s = static_cast<int32_t>(step.position.size()); s < sequences; ++s) {
    step.token_ids.push_back(0);
    step.of_token.push_back(s);
    step.start.push_back(step.start.back() + 1);
    step.position.push_back(0);
    step.block_start.push_back(step.block_start.back() + 1);
    step.blocks.push_back(page);
    step.seq_slot.push_back(slot);
    step.row_index.push_back(s);
    step.row_slot.push_back(slot);
    step.row_position.push_back(0);
    step.row_target.push_back(0);
  }
  step.tokens = step.rows = sequences;
}

}  // namespace kvasir::cuda
