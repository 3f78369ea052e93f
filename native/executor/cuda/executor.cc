#include "native/executor/cuda/executor.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace kvasir::cuda {
namespace {

constexpr int kInFlight = 2;

}  // namespace

CudaExecutor::CudaExecutor(const ExecutorOptions& options, const CardOptions& card, const Weights& weights,
                           std::vector<std::shared_ptr<const Program>> programs)
    : QueuedDevice({options.slots, options.kv.pages, options.swap.pages}),
      model_(options, card, weights, std::move(programs)) {
  stats_.kv_bytes = model_.kv_bytes();
  stats_.wgmma = model_.wgmma();
  for (int i = 0; i < kInFlight; ++i) free_.push_back(model_.new_flight());
  try {
    queueing_ = std::thread([this] { queue_jobs(); });
    delivering_ = std::thread([this] { deliver(); });
  } catch (const std::system_error& error) {
    stop();
    throw Error("KV_NATIVE", text("threads: this system has none left (", error.what(), "); dispose other models"));
  }
}

int CudaExecutor::add_program(std::shared_ptr<const Program> program) { return model_.add_program(std::move(program)); }

void CudaExecutor::queue_jobs() {
  const auto is_step = [](const Job& job) { return std::holds_alternative<Step>(job); };
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(
        lock, [this, is_step] { return stopping_ || (!jobs_.empty() && (!is_step(jobs_.front()) || !free_.empty())); });
    if (stopping_) break;
    Job job = take();
    lock.unlock();
    std::visit([this](auto& asked) { queue(asked); }, job);
    lock.lock();
  }
  queued_all_ = true;
  changed_.notify_all();
}

void CudaExecutor::queue(Opening& opening) {
  try {
    model_.enter();
    model_.open(opening.slot, opening.params, opening.prompt);
  } catch (...) {
    failure_ = error_now();
  }
}

std::unique_ptr<Flight> CudaExecutor::free_flight() {
  std::lock_guard lock(mutex_);
  std::unique_ptr<Flight> flight = std::move(free_.back());
  free_.pop_back();
  return flight;
}

void CudaExecutor::queue(Step& step) {
  const auto begin = Clock::now();
  std::unique_ptr<Flight> flight = free_flight();
  std::optional<Error> error = std::exchange(failure_, std::nullopt);
  if (!error) {
    try {
      model_.enter();
      model_.queue(step.words, *flight);
    } catch (...) {
      error = error_now();
      model_.drop(*flight);
      model_.settle();  // a part of the step may be queued, and read what the next one writes
    }
  }
  const bool failed = error.has_value();
  if (failed) step.done({}, std::move(error));
  std::lock_guard lock(mutex_);
  if (failed)
    free_.push_back(std::move(flight));
  else
    running_.push_back({std::move(flight), std::move(step.done), begin});
  stats_.arena_bytes = model_.arena_bytes();
  stats_.graphs = model_.graphs();
  stats_.replays = model_.replays();
  changed_.notify_all();
}

void CudaExecutor::queue(Copies& copies) {
  const auto begin = Clock::now();
  std::unique_ptr<driver::Event> copied;
  try {
    model_.enter();
    copied = model_.new_event();
    model_.swap(copies.words, *copied);
  } catch (...) {
    copies.done(0, error_now());
    return;
  }
  std::lock_guard lock(mutex_);
  running_.push_back({{}, {}, begin, std::move(copied), std::move(copies.done)});
  changed_.notify_all();
}

void CudaExecutor::deliver() {
  auto last_end = Clock::now();
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return queued_all_ || !running_.empty(); });
    if (running_.empty()) return;
    Running step = std::move(running_.front());
    running_.pop_front();
    lock.unlock();
    std::vector<int32_t> result;
    std::optional<Error> error;
    try {
      model_.enter();
      (step.flight ? step.flight->over : *step.copied).wait();
      if (step.flight) result = model_.result_of(*step.flight);
    } catch (...) {
      error = error_now();
      if (step.flight) model_.drop(*step.flight);
    }
    const auto end = Clock::now();
    const std::chrono::duration<double, std::milli> busy = end - std::max(step.begin, last_end);
    last_end = end;
    if (step.swapped) {
      step.swapped(busy.count(), std::move(error));
      lock.lock();
      continue;
    }
    lock.lock();
    free_.push_back(std::move(step.flight));  // before the caller hears of it: it may send the next step at once
    ++stats_.steps;
    stats_.busy_ms += busy.count();
    changed_.notify_all();
    lock.unlock();
    step.done(std::move(result), std::move(error));
    lock.lock();
  }
}

void CudaExecutor::stop() {
  std::deque<Job> dropped = close();
  if (queueing_.joinable()) {
    queueing_.join();
  } else {
    std::lock_guard lock(mutex_);
    queued_all_ = true;
    changed_.notify_all();
  }
  if (delivering_.joinable()) delivering_.join();
  fail(dropped);
}

}  // namespace kvasir::cuda
