// What native/cpu/sampling/choose.cc does around a choice, before and after the card makes it.
#include "native/executor/cuda/formats.h"

#include <algorithm>
#include <exception>

namespace kvasir::cuda {
namespace {

bool contains(const std::vector<int32_t>& ids, int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// The bits of what may follow, and the row's `first` and `accepts`.
void find_mask(FormattedRow& row, int32_t vocab, uint32_t* bits) {
  const size_t words = (vocab + 31) / 32;
  grammar::Matcher& matcher = row.answer->matcher;
  std::fill_n(bits, words, 0u);
  if (!matcher.ended()) {
    const grammar::Bits& text = matcher.mask().bits;
    std::copy_n(text.begin(), std::min(text.size(), words), bits);
  }
  row.accepts = matcher.accepts();
  for (const int32_t id : row.answer->stops) {
    if (id < 0 || id >= vocab) continue;
    const uint32_t bit = 1u << (id & 31);
    bits[id >> 5] = row.accepts ? bits[id >> 5] | bit : bits[id >> 5] & ~bit;
  }
  for (size_t w = 0; w < words && row.first < 0; ++w)
    if (bits[w]) row.first = static_cast<int32_t>(w * 32 + __builtin_ctz(bits[w]));
}

}  // namespace

CardFormats::CardFormats(int slots, int32_t vocab) : vocab_(vocab), of_slot_(slots) {}

void CardFormats::open(int slot, const SamplerParams& params) {
  of_slot_[slot] = params.grammar
                       ? std::make_shared<FormattedAnswer>(
                             grammar::Matcher(params.grammar, params.grammar_budget, &background_), params.stop_tokens)
                       : nullptr;
  background_.wake();
}

std::vector<FormattedRow> CardFormats::rows_of(const StepBuffers& step) {
  std::vector<FormattedRow> rows;
  for (int32_t r = 0; r < step.rows; ++r) {
    if (step.row_target[r] >= 0 || !of_slot_[step.row_slot[r]]) continue;
    rows.emplace_back();
    rows.back().row = r;
    rows.back().answer = of_slot_[step.row_slot[r]];
  }
  std::unique_lock lock(mutex_);
  for (const FormattedRow& row : rows) changed_.wait(lock, [&] { return !row.answer->pending; });
  for (const FormattedRow& row : rows) row.answer->pending = true;
  return rows;
}

void CardFormats::write_masks(std::vector<FormattedRow>& rows, uint32_t* masks) const {
  for (FormattedRow& row : rows) {
    try {
      find_mask(row, vocab_, masks + 1);
    } catch (const std::exception&) {
      row.first = -1;
      row.accepts = false;
    }
    masks[0] = static_cast<uint32_t>(row.first);
    masks += mask_words();
  }
}

void CardFormats::finish(std::vector<FormattedRow>& rows, SampleResult* results) {
  for (FormattedRow& row : rows) {
    SampleResult& result = results[row.row];
    try {
      if (row.first < 0) {
        result.stop = row.accepts;  // complete, and the caller left no stop token to say so
        result.stuck = !row.accepts;
      } else if (!contains(row.answer->stops, result.id)) {
        row.answer->matcher.accept(result.id);
        result.ended = row.answer->matcher.ended();
      }
    } catch (const std::exception&) {
      result.id = 0;
      result.stuck = true;
    }
  }
  settle(rows);
}

void CardFormats::drop(std::vector<FormattedRow>& rows) { settle(rows); }

void CardFormats::settle(std::vector<FormattedRow>& rows) {
  {
    std::lock_guard lock(mutex_);
    for (const FormattedRow& row : rows) row.answer->pending = false;
  }
  rows.clear();
  changed_.notify_all();
  background_.wake();
}

}  // namespace kvasir::cuda
