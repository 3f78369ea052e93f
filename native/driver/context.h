// A card's primary context, and what lives in it. Each object gives back what it holds; all may be destroyed on any thread.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "native/cuda/tensor_map.h"
#include "native/driver/driver.h"

namespace kvasir::driver {

class Context {
 public:
  // Throws KV_NOT_FOUND when there is no such card, KV_UNSUPPORTED when it is too old.
  Context(std::shared_ptr<const Driver> driver, int card);
  ~Context();
  Context(const Context&) = delete;

  const Driver& driver() const { return *driver_; }
  const CardFacts& card() const { return driver_->cards()[index_]; }
  int index() const { return index_; }
  // Makes it the calling thread's; calls of the driver work on the context of their thread.
  void enter() const;
  // The same for those who give back what they hold: false when the driver, which ends before some of them, is of no use any
  // more, or when a kernel does not end; giving back would wait for it.
  bool try_enter() const noexcept { return !stuck_ && driver_->cuCtxSetCurrent(handle_) == kSuccess; }
  void give_up() const { stuck_ = true; }
  uint64_t free_memory() const;
  // Boxes of a matrix in the card's memory, for kernels of compute capability 9.0.
  cuda::TensorMap encode(const cuda::Boxes& boxes) const;

 private:
  std::shared_ptr<const Driver> driver_;
  int index_;
  DeviceId id_ = 0;
  ContextHandle handle_ = nullptr;
  mutable std::atomic<bool> stuck_ = false;
};

using ContextPtr = std::shared_ptr<const Context>;

// Memory of the card.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(ContextPtr context, size_t bytes);
  DeviceMemory(DeviceMemory&& other) noexcept { *this = std::move(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept;
  ~DeviceMemory();

  // Means something to the card only.
  uint8_t* data() const { return reinterpret_cast<uint8_t*>(address_); }
  size_t size() const { return size_; }

 private:
  ContextPtr context_;
  Address address_ = 0;
  size_t size_ = 0;
};

// Memory of this process that stays where it is, so that copies run by themselves.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  PinnedMemory(ContextPtr context, size_t bytes);
  PinnedMemory(PinnedMemory&& other) noexcept { *this = std::move(other); }
  PinnedMemory& operator=(PinnedMemory&& other) noexcept;
  ~PinnedMemory();

  uint8_t* data() const { return static_cast<uint8_t*>(memory_); }
  size_t size() const { return size_; }

 private:
  ContextPtr context_;
  void* memory_ = nullptr;
  size_t size_ = 0;
};

// A point in a stream that a thread can wait for.
class Event {
 public:
  // A timed one can be measured from; the others cost less.
  enum Kind { kUntimed, kTimed };
  explicit Event(ContextPtr context, Kind kind = kUntimed);
  Event(Event&& other) noexcept : context_(std::move(other.context_)), handle_(std::exchange(other.handle_, nullptr)) {}
  ~Event();
  // Sleeps until the stream has come to it. Throws what went wrong before it.
  void wait() const;
  bool passed() const;
  float milliseconds_since(const Event& begin) const;
  EventHandle handle() const { return handle_; }

 private:
  ContextPtr context_;
  EventHandle handle_ = nullptr;
};

}  // namespace kvasir::driver
