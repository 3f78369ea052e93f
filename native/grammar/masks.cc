// The mask of a state: which tokens keep the text a beginning of a sentence. Most are plain, and where any plain text may
// follow, or a number of any plain characters, they come all at once; the others are walked in their trie.
#include <algorithm>

#include "native/grammar/grammar.h"

namespace kvasir::grammar {
namespace {

constexpr int32_t kWorthAsking = 32;  // nodes of a subtree
constexpr size_t kMostReached = 64;   // states, in search of one where plain text ends
constexpr int32_t kMixed = -2;        // plain characters lead to different states

}  // namespace

std::shared_ptr<TokenMask> Grammar::find_mask(const Position& at, int32_t most) {
  ++masks_;
  auto mask = std::make_shared<TokenMask>();
  mask->bits.assign(vocabulary_->words(), 0);
  if ((at.fresh && vocabulary_->leading() >= 0) || !add_plain(at, most, *mask))
    walk(at, vocabulary_->plain(), most, *mask);
  walk(at, vocabulary_->other(), most, *mask);
  return mask;
}

// All plain tokens at once, or those of so many characters, where every plain character leads to the same state. False
// where it is not so simple.
bool Grammar::add_plain(const Position& at, int32_t most, TokenMask& mask) {
  States& states = *at.states;
  const int32_t longest = vocabulary_->longest_plain();
  if (const PlainText& text = plain_text(states, at.state); text.endless) {
    if (text.least_cost > most || longest == 0) return true;
    if (text.most_cost > most) return false;
    mask.bits = vocabulary_->plain_up_to(longest);
    mask.any = true;
    mask.cost = text.most_cost;
    return true;
  }
  int32_t state = at.state;
  for (int32_t characters = 1; characters <= longest; ++characters) {
    state = after_plain(states, state);
    if (state == kMixed) {
      std::fill(mask.bits.begin(), mask.bits.end(), 0);
      mask.any = false;
      mask.cost = 0;
      return false;
    }
    if (state == States::kDead) break;
    if (states.cost(state) > most) continue;
    const Bits &more = vocabulary_->plain_up_to(characters), &less = vocabulary_->plain_up_to(characters - 1);
    for (size_t w = 0; w < mask.bits.size(); ++w) mask.bits[w] |= more[w] & ~less[w];
    mask.any = true;
    mask.cost = std::max(mask.cost, states.cost(state));
  }
  return true;
}

int32_t Grammar::after_plain(States& states, int32_t state) {
  if (states.plain(state) != States::kUnknown) return states.plain(state);
  int32_t common = States::kUnknown;
  for (const auto& classes : plain_classes_) {
    const int32_t to = after_classes(states, state, classes);
    if (common == States::kUnknown) common = to;
    if (to != common) {
      common = kMixed;
      break;
    }
  }
  states.set_plain(state, common == States::kUnknown ? kMixed : common);
  return states.plain(state);
}

int32_t Grammar::after_classes(States& states, int32_t state, const std::vector<int32_t>& classes) {
  for (const int32_t byte_class : classes) state = states.step_class(state, byte_class);
  return state;
}

// Looks at every state that plain text reaches. Where it ends at one, so it does at all on the way there.
const PlainText& Grammar::plain_text(States& states, int32_t state) {
  if (states.plain_text(state).known) return states.plain_text(state);
  std::vector<std::pair<int32_t, size_t>> reached{{state, 0}};  // and from which of them
  const auto ends = [&](size_t at) {
    for (;; at = reached[at].second) {
      states.plain_text(reached[at].first) = {.known = true};
      if (at == 0) break;
    }
  };
  PlainText text{.known = true, .endless = true, .least_cost = kNever, .most_cost = 0};
  reached_.resize(std::max<size_t>(reached_.size(), states.count()), false);
  reached_[state] = true;
  bool endless = true;
  for (size_t i = 0; i < reached.size() && endless; ++i) {
    const int32_t from = reached[i].first;
    text.least_cost = std::min(text.least_cost, states.cost(from));
    text.most_cost = std::max(text.most_cost, states.cost(from));
    for (const auto& classes : plain_classes_) {
      const int32_t to = after_classes(states, from, classes);
      const PlainText known = states.plain_text(to);
      if (to == States::kDead || (known.known && !known.endless) || reached.size() > kMostReached) {
        ends(i);
        endless = false;
        break;
      }
      reached_.resize(std::max<size_t>(reached_.size(), states.count()), false);
      if (reached_[to]) continue;
      if (known.known) {
        text.least_cost = std::min(text.least_cost, known.least_cost);
        text.most_cost = std::max(text.most_cost, known.most_cost);
        continue;
      }
      reached_[to] = true;
      reached.push_back({to, i});
    }
  }
  for (const auto& [to, _] : reached) {
    reached_[to] = false;
    if (endless) states.plain_text(to) = text;
  }
  return states.plain_text(state);
}

// Adds the tokens of a trie. Where plain text is endless in most of it, all of them are added first and the rest is taken
// away.
void Grammar::walk(const Position& at, const Trie& trie, int32_t most, TokenMask& mask) {
  States& states = *at.states;
  const auto count = static_cast<int32_t>(trie.nodes.size());
  const bool plain = &trie == &vocabulary_->plain();
  const int leading = at.fresh ? vocabulary_->leading() : -1;
  bool all = false;
  if (plain && leading < 0) {
    int64_t endless = 0;
    for (int32_t i = 0; i < count; i = trie.nodes[i].skip)
      if (const int32_t to = states.step(at.state, trie.nodes[i].byte);
          to != States::kDead && any_plain(states, to, most))
        endless += trie.nodes[i].skip - i;
    all = endless * 2 > count;
  }
  if (all)
    walk_without(at, trie, most, mask);
  else
    walk_with(at, trie, most, mask);
}

// Without branches on what a node is: nothing could foretell them.
void Grammar::walk_with(const Position& at, const Trie& trie, int32_t most, TokenMask& mask) {
  States& states = *at.states;
  const auto count = static_cast<int32_t>(trie.nodes.size());
  const bool plain = &trie == &vocabulary_->plain();
  const int leading = at.fresh ? vocabulary_->leading() : -1;
  const auto nowhere = static_cast<int32_t>(mask.bits.size() * 32);
  mask.bits.push_back(0);  // takes the bits of nodes without a token
  int32_t asked = States::kDead;
  bool endless = false;
  path_[0] = at.state;
  for (int32_t i = 0; i < count;) {
    const Trie::Node node = trie.nodes[i];
    const bool dropped = node.depth == 0 && node.byte == leading;
    const int32_t to = dropped ? at.state : states.step(path_[node.depth], node.byte);
    if (to == States::kDead) {
      i = node.skip;
      continue;
    }
    if (plain && node.skip - i > kWorthAsking && !dropped) {
      if (to != asked) endless = any_plain(states, asked = to, most);
      if (endless) {  // the tokens below need not be walked
        mask.any = true;
        mask.cost = std::max(mask.cost, plain_text(states, to).most_cost);
        for (const int32_t end = node.skip; i < end; ++i)
          if (trie.nodes[i].token >= 0) vocabulary_->add_with_twins(mask.bits, trie.nodes[i].token);
        continue;
      }
    }
    path_[node.depth + 1] = to;
    const int32_t cost = states.cost(to);
    const bool here = node.token >= 0 && cost <= most && !dropped;
    set_bit(mask.bits, here ? node.token : nowhere);
    mask.cost = std::max(mask.cost, here ? cost : 0);
    mask.any |= here;
    if (here && vocabulary_->has_twins()) vocabulary_->add_with_twins(mask.bits, node.token);
    ++i;
  }
  mask.bits.pop_back();
}

// Takes away from all plain tokens those that may not come.
void Grammar::walk_without(const Position& at, const Trie& trie, int32_t most, TokenMask& mask) {
  States& states = *at.states;
  mask.bits = vocabulary_->plain_up_to(vocabulary_->longest_plain());
  mask.any = true;
  const auto remove = [&](int32_t from, int32_t to) {
    for (int32_t i = from; i < to; ++i)
      if (trie.nodes[i].token >= 0) vocabulary_->remove_with_twins(mask.bits, trie.nodes[i].token);
  };
  int32_t asked = States::kDead;
  bool endless = false;
  path_[0] = at.state;
  for (int32_t i = 0; i < static_cast<int32_t>(trie.nodes.size());) {
    const Trie::Node node = trie.nodes[i];
    const int32_t to = states.step(path_[node.depth], node.byte);
    if (to != asked) endless = any_plain(states, asked = to, most);
    if (to == States::kDead || endless) {
      if (endless) mask.cost = std::max(mask.cost, plain_text(states, to).most_cost);
      if (!endless) remove(i, node.skip);
      i = node.skip;
      continue;
    }
    path_[node.depth + 1] = to;
    if (node.token >= 0) {
      if (states.cost(to) > most)
        remove(i, i + 1);
      else
        mask.cost = std::max(mask.cost, states.cost(to));
    }
    ++i;
  }
}

bool Grammar::any_plain(States& states, int32_t state, int32_t most) {
  const PlainText& text = plain_text(states, state);
  return text.endless && text.most_cost <= most;
}

}  // namespace kvasir::grammar
