#include "native/executor/cuda/executor.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace kvasir::cuda {
namespace {

constexpr int kInFlight = 2;

Error error_now() {
  try {
    throw;
  } catch (const Error& known) {
    return known;
  } catch (const std::exception& other) {
    return Error("KV_NATIVE", other.what());
  }
}

}  // namespace

CudaExecutor::CudaExecutor(const ExecutorOptions& options, const CardOptions& card, const Weights& weights,
                           std::vector<std::shared_ptr<const Program>> programs)
    : options_(options), model_(options, card, weights, std::move(programs)) {
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

void CudaExecutor::push(Job job) {
  std::lock_guard lock(mutex_);
  KV_CHECK(!stopping_, "KV_DISPOSED", "the executor was disposed");
  jobs_.push_back(std::move(job));
  changed_.notify_all();
}

void CudaExecutor::open(int slot, SamplerParams params, std::vector<int32_t> prompt) {
  KV_CHECK(slot >= 0 && slot < options_.slots, "KV_NATIVE", "open: slot ", slot, " of ", options_.slots);
  Job job;
  job.slot = slot;
  job.params = std::move(params);
  job.prompt = std::move(prompt);
  push(std::move(job));
}

void CudaExecutor::submit(std::vector<int32_t> words, Done done) {
  Job job;
  job.words = std::move(words);
  job.done = std::move(done);
  push(std::move(job));
}

void CudaExecutor::swap(std::vector<int32_t> copies, Swapped done) {
  check_swap(copies, options_.kv.pages, options_.swap.pages);
  Job job;
  job.words = std::move(copies);
  job.swapped = std::move(done);
  push(std::move(job));
}

int CudaExecutor::add_program(std::shared_ptr<const Program> program) { return model_.add_program(std::move(program)); }

void CudaExecutor::queue_jobs() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || (!jobs_.empty() && (!jobs_.front().done || !free_.empty())); });
    if (stopping_) break;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    std::unique_ptr<Flight> flight;
    if (job.done) {
      flight = std::move(free_.back());
      free_.pop_back();
    }
    lock.unlock();
    if (job.done)
      queue_step(std::move(job), std::move(flight));
    else if (job.swapped)
      queue_swap(std::move(job));
    else
      open_slot(job);
    lock.lock();
  }
  queued_all_ = true;
  changed_.notify_all();
}

void CudaExecutor::open_slot(const Job& job) {
  try {
    model_.enter();
    model_.open(job.slot, job.params, job.prompt);
  } catch (...) {
    failure_ = error_now();
  }
}

void CudaExecutor::queue_step(Job job, std::unique_ptr<Flight> flight) {
  const auto begin = Clock::now();
  std::optional<Error> error = std::exchange(failure_, std::nullopt);
  if (!error) {
    try {
      model_.enter();
      model_.queue(job.words, *flight);
    } catch (...) {
      error = error_now();
      model_.drop(*flight);
      model_.settle();  // a part of the step may be queued, and read what the next one writes
    }
  }
  const bool failed = error.has_value();
  if (failed) job.done({}, std::move(error));
  std::lock_guard lock(mutex_);
  if (failed)
    free_.push_back(std::move(flight));
  else
    running_.push_back({std::move(flight), std::move(job.done), begin});
  stats_.arena_bytes = model_.arena_bytes();
  stats_.graphs = model_.graphs();
  stats_.replays = model_.replays();
  changed_.notify_all();
}

void CudaExecutor::queue_swap(Job job) {
  const auto begin = Clock::now();
  std::unique_ptr<driver::Event> copied;
  try {
    model_.enter();
    copied = model_.new_event();
    model_.swap(job.words, *copied);
  } catch (...) {
    job.swapped(0, error_now());
    return;
  }
  std::lock_guard lock(mutex_);
  running_.push_back({{}, {}, begin, std::move(copied), std::move(job.swapped)});
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
  std::deque<Job> dropped;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(jobs_);
    if (!queueing_.joinable()) queued_all_ = true;
  }
  changed_.notify_all();
  if (queueing_.joinable()) queueing_.join();
  if (delivering_.joinable()) delivering_.join();
  for (Job& job : dropped) {
    if (job.done) job.done({}, Error("KV_DISPOSED", "the executor was disposed before this step ran"));
    if (job.swapped) job.swapped(0, Error("KV_DISPOSED", "the executor was disposed before this swap ran"));
  }
}

ExecutorStats CudaExecutor::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace kvasir::cuda
