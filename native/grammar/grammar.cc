#include "native/grammar/grammar.h"

#include <algorithm>
#include <set>

namespace kvasir::grammar {
namespace {

constexpr size_t kMostBytes = 16 << 20;  // of states; then they begin anew
constexpr size_t kMaskBytes = 4 << 20;   // of masks that are kept

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
  longest_token_ = std::max(vocabulary_->plain().height, vocabulary_->other().height);
  path_.resize(longest_token_ + 1);
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
  const auto& known = at.states->mask(at.states->canonical(at.state, longest_token_));
  return known && known->cost <= budget ? known : nullptr;
}

std::shared_ptr<const TokenMask> Grammar::mask(const Position& here, int32_t budget) {
  std::lock_guard lock(busy_);
  const Position at{here.states, here.states->canonical(here.state, longest_token_), here.fresh};
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
