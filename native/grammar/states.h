// A grammar at work: which bytes may come next, followed byte by byte.
//
//   frame   what is left to match: an element, how often it was repeated already, and the frame after it
//   state   the frames that wait for a byte, of every way to read the text so far; sorted, so that equal means same
//
// Frames and states are numbered as they are met and the steps between states are remembered: a pushdown automaton that
// becomes a finite one where it was used. State 0 has no frames: no text goes there.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "native/grammar/rules.h"

namespace kvasir::grammar {

struct TokenMask;

class States {
 public:
  explicit States(const Rules& rules);

  static constexpr int32_t kDead = 0;
  int32_t start() const { return start_; }

  // The state after one more byte. Throws KV_UNSUPPORTED when there are too many ways to read the text.
  int32_t step(int32_t state, uint8_t byte) { return step_class(state, rules_.class_of(byte)); }
  int32_t step_class(int32_t state, int32_t byte_class) {
    const int32_t known = next_[static_cast<size_t>(state) * rules_.classes() + byte_class];
    return known >= 0 ? known : find_step(state, byte_class);
  }

  // The text may end here; nothing may follow it; tokens that are enough to complete it.
  bool accepts(int32_t state) const { return states_[state].accepts; }
  bool ends(int32_t state) const { return states_[state].accepts && states_[state].count == 0; }
  int32_t cost(int32_t state) const { return states_[state].cost; }

  // The same state of other States of the same rules.
  int32_t adopt(const States& from, int32_t state);

  // Where any one plain character leads (native/grammar/mask.cc); kUnknown until set.
  static constexpr int32_t kUnknown = -1;
  int32_t plain(int32_t state) const { return states_[state].plain; }
  void set_plain(int32_t state, int32_t to) { states_[state].plain = to; }

  std::shared_ptr<const TokenMask>& mask(int32_t state) { return states_[state].mask; }

  int32_t count() const { return static_cast<int32_t>(states_.size()); }
  size_t bytes() const;

 private:
  struct Frame {
    int32_t element;
    int32_t count;
    int32_t parent;  // kNobody: the text is over
    int32_t cost;    // tokens that are enough to complete it
  };
  struct State {
    size_t first;  // in frames_of_states_
    int32_t count;
    int32_t cost;
    bool accepts;
    int32_t plain = kUnknown;
    std::shared_ptr<const TokenMask> mask{};
  };
  static constexpr int32_t kNobody = -1;

  int32_t find_step(int32_t state, int32_t byte_class);
  int32_t frame(int32_t element, int32_t count, int32_t parent);
  int32_t after(int32_t element, int32_t parent);
  void expand(int32_t frame);
  void reach(int32_t frame);
  int32_t collect();

  const Rules& rules_;
  std::vector<Frame> frames_;
  std::vector<int32_t> frame_slots_;  // open addressing; −1 is empty
  std::vector<State> states_;
  std::vector<int32_t> state_slots_;
  std::vector<uint32_t> hashes_;  // by state
  std::vector<int32_t> frames_of_states_;
  std::vector<int32_t> next_;  // [states, classes], −1 is unknown
  int32_t start_ = kDead;

  // Of the step that is being found.
  std::vector<uint32_t> seen_;  // by frame: the number of the step that reached it last
  uint32_t now_ = 0;
  std::vector<int32_t> work_, waiting_;
  bool accepted_ = false;
};

}  // namespace kvasir::grammar
