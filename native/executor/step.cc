#include "native/executor/step.h"

#include <bit>

#include "native/base/check.h"

namespace kvasir {
namespace {

// Takes `value` if it lies in [low, high); says where otherwise.
int32_t in_range(int32_t value, int64_t low, int64_t high, const char* what) {
  KV_CHECK(value >= low && value < high, "KV_NATIVE", "step: ", what, " is ", value, ", expected ", low, " to ",
           high - 1);
  return value;
}

class Words {
 public:
  explicit Words(const std::vector<int32_t>& words) : words_(words) {}
  int32_t next() { return words_[at_++]; }  // the total length is checked before the first

 private:
  const std::vector<int32_t>& words_;
  size_t at_ = 1;
};

int32_t flags_of(const SampleResult& result) {
  return (result.stop ? kFlagStop : 0) | (result.ended ? kFlagEnded : 0) | (result.stuck ? kFlagStuck : 0);
}

}  // namespace

void parse_step(const std::vector<int32_t>& words, const StepLimits& limits, StepBuffers& step) {
  KV_CHECK(words.size() >= kStepHeader, "KV_NATIVE", "step: ", words.size(), " words, expected at least ", kStepHeader);
  Words in(words);
  const int32_t tokens = in_range(in.next(), 1, int64_t{limits.tokens} + 1, "the number of tokens");
  const int32_t sequences = in_range(in.next(), 1, int64_t{limits.sequences} + 1, "the number of sequences");
  const int32_t rows = in_range(in.next(), 0, int64_t{limits.rows} + 1, "the number of rows");
  const int32_t blocks = in_range(in.next(), 0, int64_t{limits.blocks} + 1, "the number of block entries");
  const int32_t copies = in_range(in.next(), 0, int64_t{limits.pages} + 1, "the number of copies");
  const int64_t expected =
      kStepHeader + int64_t{tokens} + int64_t{4} * sequences + blocks + int64_t{3} * rows + int64_t{2} * copies;
  KV_CHECK(static_cast<int64_t>(words.size()) == expected, "KV_NATIVE", "step: ", words.size(), " words, expected ",
           expected);

  step.tokens = tokens;
  step.rows = rows;
  step.token_ids.resize(tokens);
  for (int32_t& id : step.token_ids) id = in_range(in.next(), -int64_t{limits.slots}, limits.vocab, "a token");

  step.of_token.resize(tokens);
  step.start.assign(1, 0);
  step.block_start.assign(1, 0);
  step.position.clear();
  step.seq_slot.clear();
  for (int32_t s = 0; s < sequences; ++s) {
    step.seq_slot.push_back(in_range(in.next(), 0, limits.slots, "a slot"));
    const int32_t count = in_range(in.next(), 1, int64_t{tokens} - step.start.back() + 1, "a sequence's tokens");
    const int32_t position = in_range(in.next(), 0, int64_t{limits.blocks} * kPageTokens, "a position");
    const int32_t held = in_range(in.next(), 0, int64_t{blocks} - step.block_start.back() + 1, "a sequence's blocks");
    KV_CHECK(int64_t{position} + count <= int64_t{held} * kPageTokens, "KV_NATIVE", "step: a sequence reaches token ",
             int64_t{position} + count, " but holds ", held, " pages of ", kPageTokens);
    for (int32_t t = 0; t < count; ++t) step.of_token[step.start.back() + t] = s;
    step.start.push_back(step.start.back() + count);
    step.position.push_back(position);
    step.block_start.push_back(step.block_start.back() + held);
  }
  in_range(step.start.back(), tokens, int64_t{tokens} + 1, "the sum of the sequences' tokens");
  in_range(step.block_start.back(), blocks, int64_t{blocks} + 1, "the sum of the sequences' blocks");

  step.blocks.resize(blocks);
  for (int32_t& page : step.blocks) page = in_range(in.next(), 0, limits.pages, "a page");

  step.row_index.resize(rows);
  step.row_slot.resize(rows);
  step.row_position.resize(rows);
  step.row_target.resize(rows);
  step.results.resize(rows);
  for (int32_t r = 0; r < rows; ++r) {
    const int32_t token = step.row_index[r] = in_range(in.next(), 0, tokens, "a row");
    step.row_slot[r] = in_range(in.next(), 0, limits.slots, "a row's slot");
    step.row_target[r] = in_range(in.next(), -1, limits.vocab, "a target");
    const int32_t s = step.of_token[token];
    step.row_position[r] = step.position[s] + token - step.start[s];
  }

  step.copies.resize(2 * copies);
  for (int32_t& page : step.copies) page = in_range(in.next(), 0, limits.pages, "a page to copy");
}

void append_row(const SampleResult& result, std::vector<int32_t>& words) {
  words.insert(words.end(), {result.id, std::bit_cast<int32_t>(result.logprob), flags_of(result), result.top_count});
  for (int i = 0; i < result.top_count; ++i)
    words.insert(words.end(), {result.top_id[i], std::bit_cast<int32_t>(result.top_logprob[i])});
}

}  // namespace kvasir
