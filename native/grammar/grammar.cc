#include "native/grammar/grammar.h"

#include <algorithm>
#include <set>

namespace kvasir::grammar {
namespace {

constexpr size_t kMostBytes = 32 << 20;  // of states; then they begin anew
constexpr size_t kMaskBytes = 16 << 20;  // of masks that are kept

constexpr int32_t kWorthAsking = 32;  // nodes of a subtree

constexpr int32_t kMixed = -2;  // plain characters lead to different states

}  // namespace

Grammar::Grammar(const int32_t* words, size_t count, std::shared_ptr<const Vocabulary> vocabulary)
    : vocabulary_(std::move(vocabulary)),
      rules_(words, count, *vocabulary_),
      states_(std::make_shared<States>(rules_)) {
  std::set<std::vector<int32_t>> distinct;
  for (const std::string& character : vocabulary_->plain_characters()) {
    std::vector<int32_t> classes;
    for (const char byte : character) classes.push_back(rules_.class_of(static_cast<uint8_t>(byte)));
    distinct.insert(std::move(classes));
  }
  plain_classes_.assign(distinct.begin(), distinct.end());
  kept_.resize(std::max<size_t>(16, kMaskBytes / (vocabulary_->words() * 4)));
  path_.resize(std::max(vocabulary_->plain().height, vocabulary_->other().height) + 1);
}

Position Grammar::start() {
  std::lock_guard lock(busy_);
  return {states_, states_->start(), true};
}

bool Grammar::accept(Position& at, int32_t token) {
  std::lock_guard lock(busy_);
  renew(at);
  std::string_view bytes = vocabulary_->bytes(token);
  if (at.fresh && !bytes.empty() && static_cast<uint8_t>(bytes[0]) == vocabulary_->leading()) bytes.remove_prefix(1);
  at.fresh = false;
  if (bytes.empty()) at.state = States::kDead;
  for (const char byte : bytes) at.state = at.states->step(at.state, static_cast<uint8_t>(byte));
  return at.state != States::kDead;
}

bool Grammar::accepts(const Position& at) {
  std::lock_guard lock(busy_);
  return at.states->accepts(at.state);
}

bool Grammar::ends(const Position& at) {
  std::lock_guard lock(busy_);
  return at.states->ends(at.state);
}

int32_t Grammar::cost(const Position& at) {
  std::lock_guard lock(busy_);
  return at.states->cost(at.state);
}

std::shared_ptr<const TokenMask> Grammar::known_mask(const Position& at, int32_t budget) {
  std::lock_guard lock(busy_);
  if (at.fresh && vocabulary_->leading() >= 0) return nullptr;
  const auto& known = at.states->mask(at.state);
  return known && known->cost <= budget ? known : nullptr;
}

std::shared_ptr<const TokenMask> Grammar::mask(const Position& at, int32_t budget) {
  std::lock_guard lock(busy_);
  std::shared_ptr<const TokenMask> all = at.states->mask(at.state);
  if (!all || (at.fresh && vocabulary_->leading() >= 0)) {
    all = find_mask(at, kNever);
    if (!at.fresh || vocabulary_->leading() < 0) keep(at, all);
  }
  if (all->cost <= budget) return all;
  std::shared_ptr<const TokenMask> cheap = find_mask(at, budget);
  return cheap->any || at.states->accepts(at.state) ? cheap : all;
}

GrammarStats Grammar::stats() {
  std::lock_guard lock(busy_);
  return {masks_, states_->count(), static_cast<int64_t>(states_->bytes() + rules_.bytes())};
}

std::shared_ptr<TokenMask> Grammar::find_mask(const Position& at, int32_t most) {
  ++masks_;
  auto mask = std::make_shared<TokenMask>();
  mask->bits.assign(vocabulary_->words(), 0);
  if (most < kNever || (at.fresh && vocabulary_->leading() >= 0) || !add_plain(at, *mask))
    walk(at, vocabulary_->plain(), most, *mask);
  walk(at, vocabulary_->other(), most, *mask);
  return mask;
}

// All plain tokens at once, where every plain character leads to the same state, and from there again, until that goes on
// for ever, for longer than tokens are, or ends for all of them. False where it is not so simple.
bool Grammar::add_plain(const Position& at, TokenMask& mask) {
  States& states = *at.states;
  int32_t state = at.state, characters = 0;
  int32_t cost = 0;
  while (characters < vocabulary_->longest_plain()) {
    const int32_t next = after_plain(states, state);
    if (next == kMixed) return false;
    if (next == States::kDead) break;
    cost = std::max(cost, states.cost(next));
    characters = next == state ? vocabulary_->longest_plain() : characters + 1;
    state = next;
  }
  mask.bits = vocabulary_->plain_up_to(characters);
  mask.any = characters > 0;
  mask.cost = cost;
  return true;
}

int32_t Grammar::after_plain(States& states, int32_t state) {
  if (states.plain(state) != States::kUnknown) return states.plain(state);
  int32_t common = States::kUnknown;
  for (const auto& classes : plain_classes_) {
    int32_t to = state;
    for (const int32_t byte_class : classes) to = states.step_class(to, byte_class);
    if (common == States::kUnknown) common = to;
    if (to != common) {
      common = kMixed;
      break;
    }
  }
  states.set_plain(state, common == States::kUnknown ? kMixed : common);
  return states.plain(state);
}

void Grammar::walk(const Position& at, const Trie& trie, int32_t most, TokenMask& mask) {
  States& states = *at.states;
  const auto count = static_cast<int32_t>(trie.nodes.size());
  const bool plain = &trie == &vocabulary_->plain();
  const int leading = at.fresh ? vocabulary_->leading() : -1;
  path_[0] = at.state;
  for (int32_t i = 0; i < count;) {
    const Trie::Node node = trie.nodes[i];
    const bool dropped = node.depth == 0 && node.byte == leading;
    const int32_t to = dropped ? at.state : states.step(path_[node.depth], node.byte);
    if (to == States::kDead) {
      i = node.skip;
      continue;
    }
    // Where any plain character leads back to the same state, the tokens below need not be walked.
    if (plain && node.skip - i > kWorthAsking && states.cost(to) <= most && !dropped && after_plain(states, to) == to) {
      for (; i < node.skip; ++i)
        if (trie.nodes[i].token >= 0) vocabulary_->add_with_twins(mask.bits, trie.nodes[i].token);
      mask.any = true;
      mask.cost = std::max(mask.cost, states.cost(to));
      continue;
    }
    path_[node.depth + 1] = to;
    if (node.token >= 0 && !dropped && states.cost(to) <= most) {
      vocabulary_->add_with_twins(mask.bits, node.token);
      mask.any = true;
      mask.cost = std::max(mask.cost, states.cost(to));
    }
    ++i;
  }
}

// What was met so far is dropped when it has become too much; texts under way take their own state along.
void Grammar::renew(Position& at) {
  if (states_->bytes() > kMostBytes) states_ = std::make_shared<States>(rules_);
  if (at.states == states_) return;
  at.state = states_->adopt(*at.states, at.state);
  at.states = states_;
}

void Grammar::keep(const Position& at, std::shared_ptr<const TokenMask> mask) {
  auto& [states, state] = kept_[kept_at_];
  if (const auto old = states.lock()) old->mask(state) = nullptr;
  states = at.states;
  state = at.state;
  at.states->mask(state) = std::move(mask);
  kept_at_ = (kept_at_ + 1) % kept_.size();
}

}  // namespace kvasir::grammar
