// Answers in a format, on a card: which tokens may come is found on this side and copied with the step that chooses among
// them. Such a step waits until the token before is known; others go on two at a time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "native/executor/step.h"
#include "native/grammar/matcher.h"

namespace kvasir::cuda {

// One answer; `mutex` of CardFormats guards `pending` alone.
struct FormattedAnswer {
  grammar::Matcher matcher;
  std::vector<int32_t> stops;
  bool pending = false;  // a token was asked for and is not known yet
};

// A row of a step whose answer has a format.
struct FormattedRow {
  int32_t row = 0;
  int32_t first = -1;    // of the tokens that may come; −1: none
  bool accepts = false;  // the answer may end instead
  std::shared_ptr<FormattedAnswer> answer;
};

class CardFormats {
 public:
  CardFormats(int slots, int32_t vocab);

  // Of a mask, in u32: the first token that may come, or −1, and a bit for each of the vocabulary.
  int32_t mask_words() const { return 1 + (vocab_ + 31) / 32; }

  // By the thread that queues steps: a slot gets its next sequence.
  void open(int slot, const SamplerParams& params);
  // The rows of a step that have a format. Waits for the tokens before them.
  std::vector<FormattedRow> rows_of(const StepBuffers& step);
  // Writes the masks of rows_of() one after another.
  void write_masks(std::vector<FormattedRow>& rows, uint32_t* masks) const;

  // By the thread that delivers: what was chosen, and with it what `results` could not know.
  void finish(std::vector<FormattedRow>& rows, SampleResult* results);
  // The step did not come to a result.
  void drop(std::vector<FormattedRow>& rows);

 private:
  void settle(std::vector<FormattedRow>& rows);

  const int32_t vocab_;
  grammar::Background background_;  // outlives the answers
  std::vector<std::shared_ptr<FormattedAnswer>> of_slot_;
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace kvasir::cuda
