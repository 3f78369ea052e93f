#include "native/driver/context.h"

#include <utility>

namespace kvasir::driver {

Context::Context(std::shared_ptr<const Driver> driver, int card) : driver_(std::move(driver)), index_(card) {
  const auto& cards = driver_->cards();
  KV_CHECK(card >= 0 && card < static_cast<int>(cards.size()), "KV_NOT_FOUND", "device cuda:", card,
           ": this machine has ", cards.size(), cards.size() == 1 ? " card" : " cards");
  const int capability = cards[card].compute_capability;
  KV_CHECK(capability >= kOldestCard, "KV_UNSUPPORTED", cards[card].name, " is too old: compute capability ",
           capability / 10, ".", capability % 10, ", Kvasir needs ", kOldestCard / 10, ".", kOldestCard % 10,
           " (Ampere) or newer; load with device: 'cpu'");
  KV_CUDA(*driver_, cuDeviceGet, &id_, card);
  const Result retained = driver_->cuDevicePrimaryCtxRetain(&handle_, id_);
  KV_CHECK(retained != kDeviceUnavailable, "KV_UNSUPPORTED", cards[card].name,
           " is taken by another process (its compute mode is exclusive or prohibited; see nvidia-smi -q -d COMPUTE): "
           "choose another card, or load with device: 'cpu'");
  driver_->check(retained, "cuDevicePrimaryCtxRetain");
}

Context::~Context() {
  if (!stuck_) driver_->cuDevicePrimaryCtxRelease(id_);
}

void Context::enter() const { KV_CUDA(*driver_, cuCtxSetCurrent, handle_); }

uint64_t Context::free_memory() const {
  enter();
  size_t free = 0, total = 0;
  KV_CUDA(*driver_, cuMemGetInfo, &free, &total);
  return free;
}

cuda::TensorMap Context::encode(const cuda::Boxes& boxes) const {
  cuda::TensorMap map;
  const uint64_t dims[] = {static_cast<uint64_t>(boxes.columns), static_cast<uint64_t>(boxes.rows)};
  const uint64_t stride = static_cast<uint64_t>(boxes.stride);
  const unsigned box[] = {static_cast<unsigned>(boxes.box_columns), static_cast<unsigned>(boxes.box_rows)};
  const unsigned steps[] = {1, 1};
  KV_CUDA(*driver_, cuTensorMapEncodeTiled, &map, boxes.element_bytes == 1 ? kTensorU8 : kTensorI32, 2,
          const_cast<void*>(boxes.data), dims, &stride, box, steps, 0, static_cast<int>(boxes.swizzle), kPromoteTo128,
          0);
  return map;
}

DeviceMemory::DeviceMemory(ContextPtr context, size_t bytes) : context_(std::move(context)), size_(bytes) {
  if (bytes == 0) return;
  context_->enter();
  KV_CUDA(context_->driver(), cuMemAlloc, &address_, bytes);
}
DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
  std::swap(context_, other.context_);
  std::swap(address_, other.address_);
  std::swap(size_, other.size_);
  return *this;
}
DeviceMemory::~DeviceMemory() {
  if (address_ && context_->try_enter()) context_->driver().cuMemFree(address_);
}

PinnedMemory::PinnedMemory(ContextPtr context, size_t bytes) : context_(std::move(context)), size_(bytes) {
  if (bytes == 0) return;
  context_->enter();
  KV_CUDA(context_->driver(), cuMemHostAlloc, &memory_, bytes, kHostAllocPortable);
}
PinnedMemory& PinnedMemory::operator=(PinnedMemory&& other) noexcept {
  std::swap(context_, other.context_);
  std::swap(memory_, other.memory_);
  std::swap(size_, other.size_);
  return *this;
}
PinnedMemory::~PinnedMemory() {
  if (memory_ && context_->try_enter()) context_->driver().cuMemFreeHost(memory_);
}

Event::Event(ContextPtr context, Kind kind) : context_(std::move(context)) {
  context_->enter();
  const unsigned flags = kEventBlockingSync | (kind == kTimed ? 0 : kEventDisableTiming);
  KV_CUDA(context_->driver(), cuEventCreate, &handle_, flags);
}
Event::~Event() {
  if (handle_ && context_->try_enter()) context_->driver().cuEventDestroy(handle_);
}
bool Event::passed() const {
  const Result result = context_->driver().cuEventQuery(handle_);
  if (result != kNotReady) context_->driver().check(result, "cuEventQuery");
  return result == kSuccess;
}
void Event::wait() const { KV_CUDA(context_->driver(), cuEventSynchronize, handle_); }
float Event::milliseconds_since(const Event& begin) const {
  float milliseconds = 0;
  KV_CUDA(context_->driver(), cuEventElapsedTime, &milliseconds, begin.handle_, handle_);
  return milliseconds;
}

}  // namespace kvasir::driver
