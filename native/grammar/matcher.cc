#include "native/grammar/matcher.h"

#include <algorithm>

#include "native/base/system.h"

namespace kvasir::grammar {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

void Background::run(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  if (!stopping_) queue_.push_back(std::move(work));
}

void Background::wake() {
  {
    std::lock_guard lock(mutex_);
    if (queue_.empty()) return;
    if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
  }
  changed_.notify_one();
}

void Background::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Background::serve() {
  batch_priority();
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

Matcher::Matcher(std::shared_ptr<Grammar> grammar, int32_t budget, Background* background)
    : grammar_(std::move(grammar)), at_(grammar_->start()), budget_(budget), background_(background) {
  look_ahead();
}

const TokenMask& Matcher::mask() {
  waited_ = {};
  if (!mask_) {
    const auto begin = Clock::now();
    search(*grammar_, at_, budget_ - 1, *search_);
    waited_ = Clock::now() - begin;
    if (search_->error) std::rethrow_exception(search_->error);
    mask_ = search_->mask;
  }
  return *mask_;
}

void Matcher::accept(int32_t token) {
  const auto begin = Clock::now();
  grammar_->accept(at_, token);
  budget_ = std::max(1, budget_ - 1);
  look_ahead();
  if (background_) background_->timings().path.add(waited_ + (Clock::now() - begin));
}

void Matcher::look_ahead() {
  accepts_ = grammar_->accepts(at_);
  ended_ = grammar_->ends(at_);
  mask_ = ended_ ? std::make_shared<TokenMask>() : grammar_->known_mask(at_, budget_ - 1);
  search_ = nullptr;
  if (mask_) return;
  search_ = std::make_shared<Search>();
  if (background_)
    background_->run(
        [grammar = grammar_, at = at_, budget = budget_ - 1, search = search_, &found = background_->timings().beside] {
          const auto begin = Clock::now();
          if (Matcher::search(*grammar, at, budget, *search)) found.add(Clock::now() - begin);
        });
}

// Whoever comes first finds the mask; the other waits for it.
bool Matcher::search(Grammar& grammar, const Position& at, int32_t budget, Search& search) {
  std::unique_lock lock(search.mutex);
  if (search.taken) {
    search.found.wait(lock, [&] { return search.done; });
    return false;
  }
  search.taken = true;
  lock.unlock();
  try {
    search.mask = grammar.mask(at, budget);
  } catch (...) {
    search.error = std::current_exception();
  }
  lock.lock();
  search.done = true;
  search.found.notify_all();
  return true;
}

}  // namespace kvasir::grammar
