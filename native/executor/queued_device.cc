#include "native/executor/queued_device.h"

#include <utility>

#include "native/executor/swap_space.h"

namespace kvasir {

void QueuedDevice::push(Job job) {
  std::lock_guard lock(mutex_);
  KV_CHECK(!stopping_, "KV_DISPOSED", "the executor was disposed");
  jobs_.push_back(std::move(job));
  changed_.notify_all();
}

void QueuedDevice::open(int slot, SamplerParams params, std::vector<int32_t> prompt) {
  KV_CHECK(slot >= 0 && slot < sizes_.slots, "KV_NATIVE", "open: slot ", slot, " of ", sizes_.slots);
  push(Opening{slot, std::move(params), std::move(prompt)});
}

void QueuedDevice::submit(std::vector<int32_t> words, Done done) { push(Step{std::move(words), std::move(done)}); }

void QueuedDevice::swap(std::vector<int32_t> copies, Swapped done) {
  check_swap(copies, sizes_.pages, sizes_.swap_pages);
  push(Copies{std::move(copies), std::move(done)});
}

void QueuedDevice::release(std::vector<int32_t> pages) {
  for (const int32_t page : pages)
    KV_CHECK(page >= 0 && page < sizes_.pages, "KV_NATIVE", "release: page ", page, " of ", sizes_.pages);
  if (!pages.empty()) push(Release{std::move(pages)});
}

ExecutorStats QueuedDevice::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

QueuedDevice::Job QueuedDevice::take() {
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  return job;
}

std::deque<QueuedDevice::Job> QueuedDevice::close() {
  std::deque<Job> dropped;
  std::lock_guard lock(mutex_);
  stopping_ = true;
  dropped.swap(jobs_);
  changed_.notify_all();
  return dropped;
}

void QueuedDevice::fail(std::deque<Job>& dropped) {
  for (Job& job : dropped) {
    if (auto* step = std::get_if<Step>(&job))
      step->done({}, Error("KV_DISPOSED", "the executor was disposed before this step ran"));
    if (auto* copies = std::get_if<Copies>(&job))
      copies->done(0, Error("KV_DISPOSED", "the executor was disposed before this swap ran"));
  }
}

}  // namespace kvasir
