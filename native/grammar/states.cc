#include "native/grammar/states.h"

#include <algorithm>

#include "native/base/check.h"

namespace kvasir::grammar {
namespace {

constexpr size_t kMostFrames = 1 << 15;  // of a state
constexpr int32_t kSmall = 4;            // frames of a closure that is not worth a list of its own

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
  return frames_.size() * (sizeof(Frame) + 16) + states_.size() * (sizeof(State) + 8) + frames_of_states_.size() * 4 +
         next_.size() * 4 + lists_.size() * 4 + steps_.size() * 48;
}

int32_t States::find_step(int32_t state, int32_t byte_class) {
  ++now_;
  const uint8_t byte = rules_.representative(byte_class);
  const size_t first = states_[state].first, count = states_[state].count;
  for (size_t i = first; i < first + count; ++i) {
    const int32_t id = frames_of_states_[i];
    const Frame f = frames_[id];
    if (const Element& e = rules_.element(f.element); e.kind == Element::Kind::bytes) {
      if (rules_.set(e.target)[byte]) reach(after(f.element, f.parent));
    } else {
      const List list = step_frame(id, byte_class);
      for (int32_t k = list.first; k < list.first + list.count; ++k) reach(lists_[k]);
    }
  }
  const int32_t to = collect();
  next_[static_cast<size_t>(state) * rules_.classes() + byte_class] = to;
  return to;
}

// The frames that one more byte leads to from the closure of a frame.
States::List States::step_frame(int32_t id, int32_t byte_class) {
  const int64_t key = int64_t{id} * rules_.classes() + byte_class;
  if (const auto known = steps_.find(key); known != steps_.end()) return known->second;
  const uint8_t byte = rules_.representative(byte_class);
  const List from = closure(id);
  List list{static_cast<int32_t>(lists_.size()), 0};
  for (int32_t k = from.first; k < from.first + from.count; ++k) {
    const Frame f = frames_[lists_[k]];
    if (rules_.set(rules_.element(f.element).target)[byte]) lists_.push_back(after(f.element, f.parent));
  }
  list.count = static_cast<int32_t>(lists_.size()) - list.first;
  return steps_[key] = list;
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
  expanded_.push_back(0);
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

// Adds a frame to the state that is being found.
void States::reach(int32_t id) {
  if (id == kNobody) {
    over_ = true;
    return;
  }
  if (seen_[id] == now_) return;
  seen_[id] = now_;
  if (rules_.element(frames_[id].element).kind == Element::Kind::bytes) {
    reached_.push_back(id);
  } else if (const List list = closure(id); list.count > kSmall) {
    reached_.push_back(id);
  } else {
    over_ |= frames_[id].over;
    for (int32_t k = list.first; k < list.first + list.count; ++k)
      if (const int32_t inner = lists_[k]; seen_[inner] != now_) {
        seen_[inner] = now_;
        reached_.push_back(inner);
      }
  }
  KV_CHECK(reached_.size() < kMostFrames, "KV_UNSUPPORTED", "format: there are more than ", kMostFrames,
           " ways to read the text so far; write the grammar with fewer alternatives that begin alike");
}

States::List States::closure(int32_t id) {
  if (frames_[id].closure.count >= 0) return frames_[id].closure;
  List list{static_cast<int32_t>(lists_.size()), 0};
  bool over = false;
  ++closures_;
  work_.push_back(id);
  while (!work_.empty()) {
    const int32_t next = work_.back();
    work_.pop_back();
    if (next == kNobody)
      over = true;
    else if (expanded_[next] != closures_)
      expand(next);
  }
  list.count = static_cast<int32_t>(lists_.size()) - list.first;
  KV_CHECK(static_cast<size_t>(list.count) < kMostFrames, "KV_UNSUPPORTED", "format: there are more than ", kMostFrames,
           " ways to go on with the text; write the grammar with fewer alternatives");
  frames_[id].over = over;
  return frames_[id].closure = list;
}

void States::expand(int32_t id) {
  expanded_[id] = closures_;
  const Frame f = frames_[id];
  const Element& e = rules_.element(f.element);
  if (e.kind == Element::Kind::bytes) {
    lists_.push_back(id);
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
  if (reached_.empty() && !over_ && !states_.empty()) return kDead;
  std::sort(reached_.begin(), reached_.end());
  uint32_t hash = mix(over_, static_cast<int32_t>(reached_.size()));
  for (const int32_t id : reached_) hash = mix(hash, id);
  const uint32_t home = hash;
  int32_t found = -1;
  for (;; ++hash) {
    found = state_slots_[hash & (state_slots_.size() - 1)];
    if (found < 0) break;
    const State& s = states_[found];
    if (s.over == over_ && s.count == static_cast<int32_t>(reached_.size()) &&
        std::equal(reached_.begin(), reached_.end(), frames_of_states_.begin() + s.first))
      break;
  }
  if (found < 0) {
    found = static_cast<int32_t>(states_.size());
    bool accepts = over_;
    int32_t cost = kNever;
    for (const int32_t id : reached_) {
      cost = std::min(cost, frames_[id].cost);
      accepts |= frames_[id].over;
    }
    states_.push_back({.first = frames_of_states_.size(),
                       .count = static_cast<int32_t>(reached_.size()),
                       .cost = accepts ? 0 : cost,
                       .over = over_,
                       .accepts = accepts});
    frames_of_states_.insert(frames_of_states_.end(), reached_.begin(), reached_.end());
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
  reached_.clear();
  over_ = false;
  return found;
}

int32_t States::canonical(int32_t state, int32_t longest_token) {
  if (states_[state].canonical != kUnknown) return states_[state].canonical;
  ++now_;
  const size_t first = states_[state].first, count = states_[state].count;
  for (size_t i = first; i < first + count; ++i) reach(canonical_frame(frames_of_states_[i], longest_token));
  over_ |= states_[state].over;
  const int32_t found = collect();
  states_[found].canonical = found;
  return states_[state].canonical = found;
}

int32_t States::canonical_frame(int32_t id, int32_t longest_token) {
  work_.clear();
  for (; id != kNobody && frames_[id].canonical == kUnknown; id = frames_[id].parent) work_.push_back(id);
  int32_t above = id == kNobody ? kNobody : frames_[id].canonical;
  while (!work_.empty()) {
    const int32_t at = work_.back();
    work_.pop_back();
    const Frame f = frames_[at];
    const Element& e = rules_.element(f.element);
    const bool far = e.kind == Element::Kind::repeat && f.count >= e.min && f.count < e.max - longest_token;
    above = frame(f.element, far ? std::max(e.min, e.max - longest_token - 1) : f.count, above);
    frames_[at].canonical = above;
  }
  return above;
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
    closure(parent);
    reached_.push_back(parent);
  }
  over_ = other.over;
  return collect();
}

}  // namespace kvasir::grammar
