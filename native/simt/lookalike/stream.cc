#include "native/simt/lookalike/stream.h"

#include <chrono>
#include <utility>

#include "native/base/check.h"
#include "native/simt/lookalike/faults.h"
#include "native/simt/lookalike/settings.h"

namespace kvasir::simt::lookalike {

uint64_t Event::record() {
  std::lock_guard lock(mutex_);
  return ++recorded_;
}

void Event::reach(uint64_t number) {
  std::lock_guard lock(mutex_);
  reached_ = number;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  milliseconds_ = std::chrono::duration<double, std::milli>(now).count();
  changed_.notify_all();
}

void Event::wait() {
  std::unique_lock lock(mutex_);
  const uint64_t until = recorded_;
  changed_.wait(lock, [&] { return reached_ >= until; });
}

bool Event::passed() {
  std::lock_guard lock(mutex_);
  return reached_ >= recorded_;
}

double Event::when() {
  std::lock_guard lock(mutex_);
  return milliseconds_;
}

Stream::Stream(Device* device) : device(device), thread_([this] { serve(); }) {}

Stream::~Stream() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Stream::push(Operation operation) {
  if (capture_) {
    ++device->counters.captured;
    capture_->operations.push_back(std::move(operation));
    return;
  }
  std::lock_guard lock(mutex_);
  queue_.push_back(std::move(operation));
  changed_.notify_all();
}

void Stream::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queue_.empty() && !busy_; });
}

void Stream::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const Operation operation = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    operation.run(*this);
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

void Stream::run_kernel(const KernelEntry& kernel, const Launch& launch, const Argument& argument) {
  if (device->failure() != driver::kSuccess) return;
  ++device->counters.launches;
  device->counters.wgmma_kernels += std::string_view(kernel.name).find("_wgmma_") != std::string_view::npos;
  const auto is_named = [&](const std::string& part) {
    return !part.empty() && std::string_view(kernel.name).find(part) != std::string_view::npos;
  };
  while (is_named(settings().stuck)) std::this_thread::sleep_for(std::chrono::seconds(1));
  if (is_named(settings().broken)) return;
  std::string trouble;
  const bool fine = without_fault([&] {
    try {
      machine_.launch(launch, [&] { kernel.run(argument.data()); });
    } catch (const std::exception& error) {
      trouble = error.what();
    }
  });
  if (!fine) return device->fail(driver::kIllegalAddress, text(kernel.name, " touches memory that is not the card's"));
  for (const auto& [kind, finding] : machine_.report.findings) trouble = kind + ": " + finding.first;
  if (!trouble.empty()) device->fail(driver::kLaunchFailed, text(kernel.name, ": ", trouble));
}

}  // namespace kvasir::simt::lookalike
