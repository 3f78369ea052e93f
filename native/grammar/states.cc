#include "native/grammar/states.h"

#include <algorithm>

#include "native/base/check.h"

namespace kvasir::grammar {
namespace {

constexpr size_t kMostFrames = 1 << 15;  // of a state

uint32_t mix(uint32_t hash, int32_t word) {
  hash = (hash ^ static_cast<uint32_t>(word)) * 0x9e3779b1u;
  return hash ^ hash >> 15;
}

}  // namespace

States::States(const Rules& rules) : rules_(rules), frame_slots_(256, -1), state_slots_(256, -1) {
  collect();  // nothing is waiting: the dead state
  ++now_;
  for (const int32_t first : rules_.alternatives(rules_.root())) reach(after(first - 1, kNobody));
  start_ = collect();
}

size_t States::bytes() const {
  return frames_.size() * (sizeof(Frame) + 12) + states_.size() * (sizeof(State) + 8) + frames_of_states_.size() * 4 +
         next_.size() * 4;
}

int32_t States::find_step(int32_t state, int32_t byte_class) {
  ++now_;
  const uint8_t byte = rules_.representative(byte_class);
  const size_t first = states_[state].first, count = states_[state].count;
  for (size_t i = first; i < first + count; ++i) {
    const Frame f = frames_[frames_of_states_[i]];
    if (rules_.set(rules_.element(f.element).target)[byte]) reach(after(f.element, f.parent));
  }
  const int32_t to = collect();
  next_[static_cast<size_t>(state) * rules_.classes() + byte_class] = to;
  return to;
}

// The frame that matches what follows `element`, then `parent`. At the end of an alternative that is `parent` itself,
// so lists that are written by right recursion do not grow the stack.
int32_t States::after(int32_t element, int32_t parent) {
  return rules_.element(element + 1).kind == Element::Kind::end ? parent : frame(element + 1, 0, parent);
}

int32_t States::frame(int32_t element, int32_t count, int32_t parent) {
  uint32_t hash = mix(mix(mix(0, element), count), parent);
  for (;; ++hash) {
    const int32_t known = frame_slots_[hash & (frame_slots_.size() - 1)];
    if (known < 0) break;
    const Frame& f = frames_[known];
    if (f.element == element && f.count == count && f.parent == parent) return known;
  }
  const Element& e = rules_.element(element);
  int64_t cost = rules_.rest(element) + int64_t{parent == kNobody ? 0 : frames_[parent].cost};
  if (e.kind == Element::Kind::repeat) cost -= int64_t{std::min(count, e.min)} * rules_.cost(e.target);
  const auto id = static_cast<int32_t>(frames_.size());
  frames_.push_back({element, count, parent, static_cast<int32_t>(std::min<int64_t>(cost, kNever))});
  seen_.push_back(0);
  frame_slots_[hash & (frame_slots_.size() - 1)] = id;
  if (frames_.size() * 2 > frame_slots_.size()) {
    frame_slots_.assign(frame_slots_.size() * 2, -1);
    for (int32_t i = 0; i <= id; ++i) {
      uint32_t at = mix(mix(mix(0, frames_[i].element), frames_[i].count), frames_[i].parent);
      while (frame_slots_[at & (frame_slots_.size() - 1)] >= 0) ++at;
      frame_slots_[at & (frame_slots_.size() - 1)] = i;
    }
  }
  return id;
}

void States::reach(int32_t frame) {
  work_.push_back(frame);
  while (!work_.empty()) {
    const int32_t next = work_.back();
    work_.pop_back();
    expand(next);
  }
}

void States::expand(int32_t id) {
  if (id == kNobody) {
    accepted_ = true;
    return;
  }
  if (seen_[id] == now_) return;
  seen_[id] = now_;
  const Frame f = frames_[id];
  const Element& e = rules_.element(f.element);
  if (e.kind == Element::Kind::bytes) {
    KV_CHECK(waiting_.size() < kMostFrames, "KV_UNSUPPORTED", "format: there are more than ", kMostFrames,
             " ways to read the text so far; write the grammar with fewer alternatives that begin alike");
    waiting_.push_back(id);
    return;
  }
  const int32_t then = after(f.element, f.parent);
  int32_t back = then;
  if (e.kind == Element::Kind::repeat) {
    if (f.count >= e.min) work_.push_back(then);
    if (e.max == 0) return;
    // Without an end, repetitions beyond the minimum need not be counted.
    const int32_t count = e.max < 0 ? std::min(f.count + 1, e.min) : f.count + 1;
    if (count != e.max) back = frame(f.element, count, f.parent);
  }
  for (const int32_t first : rules_.alternatives(e.target)) work_.push_back(after(first - 1, back));
}

// The state of the frames that were reached.
int32_t States::collect() {
  std::sort(waiting_.begin(), waiting_.end());
  uint32_t hash = mix(accepted_, static_cast<int32_t>(waiting_.size()));
  for (const int32_t id : waiting_) hash = mix(hash, id);
  const uint32_t home = hash;
  int32_t found = -1;
  for (;; ++hash) {
    found = state_slots_[hash & (state_slots_.size() - 1)];
    if (found < 0) break;
    const State& s = states_[found];
    if (s.accepts == accepted_ && s.count == static_cast<int32_t>(waiting_.size()) &&
        std::equal(waiting_.begin(), waiting_.end(), frames_of_states_.begin() + s.first))
      break;
  }
  if (found < 0) {
    found = static_cast<int32_t>(states_.size());
    int32_t cost = accepted_ ? 0 : kNever;
    for (const int32_t id : waiting_) cost = std::min(cost, frames_[id].cost);
    states_.push_back({frames_of_states_.size(), static_cast<int32_t>(waiting_.size()), cost, accepted_});
    frames_of_states_.insert(frames_of_states_.end(), waiting_.begin(), waiting_.end());
    next_.resize(next_.size() + rules_.classes(), -1);
    state_slots_[hash & (state_slots_.size() - 1)] = found;
    hashes_.push_back(home);
    if (states_.size() * 2 > state_slots_.size()) {
      state_slots_.assign(state_slots_.size() * 2, -1);
      for (int32_t i = 0; i <= found; ++i) {
        uint32_t at = hashes_[i];
        while (state_slots_[at & (state_slots_.size() - 1)] >= 0) ++at;
        state_slots_[at & (state_slots_.size() - 1)] = i;
      }
    }
  }
  waiting_.clear();
  accepted_ = false;
  return found;
}

int32_t States::adopt(const States& from, int32_t state) {
  std::vector<int32_t> chain;
  const State& other = from.states_[state];
  for (int32_t i = 0; i < other.count; ++i) {
    // From the bottom of the stack to its top.
    chain.clear();
    for (int32_t id = from.frames_of_states_[other.first + i]; id != kNobody; id = from.frames_[id].parent)
      chain.push_back(id);
    int32_t parent = kNobody;
    for (size_t k = chain.size(); k-- > 0;) {
      const Frame& f = from.frames_[chain[k]];
      parent = frame(f.element, f.count, parent);
    }
    waiting_.push_back(parent);
  }
  accepted_ = other.accepts;
  return collect();
}

}  // namespace kvasir::grammar
