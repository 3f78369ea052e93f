// A grammar at work: which bytes may come next, followed byte by byte.
//
//   frame    what is left to match: an element, how often it was repeated already, and the frame after it
//   closure  the frames of bytes that a frame begins with, in every way to read it
//   state    frames of every way to read the text so far; sorted, so that equal means same. Those with small closures are
//            there as their closure; of the others, where each byte leads is found once and for all states that have them
//
// Frames and states are numbered as they are met and the steps between states are remembered: a pushdown automaton that
// becomes a finite one where it was used. State 0 has no frames: no text goes there.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "native/grammar/rules.h"

namespace kvasir::grammar {

struct TokenMask;

// Whether plain text of any length may follow (native/grammar/masks.cc), and what completes it at every point of it.
struct PlainText {
  bool known = false;
  bool endless = false;
  int32_t least_cost = 0;
  int32_t most_cost = 0;
};

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

  // A state where the same tokens may come: of a repeat, repetitions that no token comes to the end of are not told apart.
  int32_t canonical(int32_t state, int32_t longest_token);

  // The same state of other States of the same rules.
  int32_t adopt(const States& from, int32_t state);

  // Where any one plain character leads (native/grammar/masks.cc); kUnknown until set.
  static constexpr int32_t kUnknown = -1;
  int32_t plain(int32_t state) const { return states_[state].plain; }
  void set_plain(int32_t state, int32_t to) { states_[state].plain = to; }

  PlainText& plain_text(int32_t state) { return states_[state].plain_text; }

  std::shared_ptr<const TokenMask>& mask(int32_t state) { return states_[state].mask; }

  int32_t count() const { return static_cast<int32_t>(states_.size()); }
  size_t bytes() const;

 private:
  struct List {
    int32_t first = 0;
    int32_t count = -1;
  };
  struct Frame {
    int32_t element;
    int32_t count;
    int32_t parent;     // kNobody: the text is over
    int32_t cost;       // tokens that are enough to complete it
    List closure{};     // in lists_; count −1: unknown
    bool over = false;  // the text may end where the frame is reached
    int32_t canonical = kUnknown;
  };
  struct State {
    size_t first;  // in frames_of_states_
    int32_t count;
    int32_t cost;
    bool over;  // one way to read it has come to its end
    bool accepts;
    int32_t plain = kUnknown;
    int32_t canonical = kUnknown;
    PlainText plain_text{};
    std::shared_ptr<const TokenMask> mask{};
  };
  static constexpr int32_t kNobody = -1;

  int32_t find_step(int32_t state, int32_t byte_class);
  int32_t frame(int32_t element, int32_t count, int32_t parent);
  int32_t canonical_frame(int32_t frame, int32_t longest_token);
  int32_t after(int32_t element, int32_t parent);
  void reach(int32_t frame);
  List closure(int32_t frame);
  void expand(int32_t frame);
  List step_frame(int32_t frame, int32_t byte_class);
  int32_t collect();

  const Rules& rules_;
  std::vector<Frame> frames_;
  std::vector<int32_t> frame_slots_;  // open addressing; −1 is empty
  std::vector<State> states_;
  std::vector<int32_t> state_slots_;
  std::vector<uint32_t> hashes_;  // by state
  std::vector<int32_t> frames_of_states_;
  std::vector<int32_t> next_;                // [states, classes], −1 is unknown
  std::vector<int32_t> lists_;               // of frames
  std::unordered_map<int64_t, List> steps_;  // by frame and class, of those with large closures
  int32_t start_ = kDead;

  // Of the step that is being found.
  std::vector<uint32_t> seen_;      // by frame: the number of the step that reached it last
  std::vector<uint32_t> expanded_;  // … of the closure that it was found in last
  uint32_t now_ = 0, closures_ = 0;
  std::vector<int32_t> work_, reached_;
  bool over_ = false;
};

}  // namespace kvasir::grammar
