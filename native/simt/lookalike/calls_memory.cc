// Memory and copies. Pageable memory is read during the call, pinned memory when the copy's turn has come.
#include "native/simt/lookalike/calls.h"

#include <cstdlib>
#include <cstring>
#include <utility>

namespace kvasir::simt::lookalike {
namespace {

// To give memory back waits for all that is queued on the card.
void drain_all(const Device* device) {
  streams.each([&](Stream& stream) {
    if (stream.device == device) stream.drain();
  });
}

std::mutex pinned_mutex;
// Of all cards.
auto& pinned = *new std::set<std::pair<const unsigned char*, size_t>>;

bool is_pinned(const void* pointer, size_t bytes) {
  std::lock_guard lock(pinned_mutex);
  const auto* at = static_cast<const unsigned char*>(pointer);
  for (const auto& [begin, size] : pinned)
    if (at >= begin && at + bytes <= begin + size) return true;
  return false;
}

}  // namespace

Result cuMemGetInfo(size_t* free, size_t* total) {
  NEED_CONTEXT();
  *free = current->free_bytes();
  *total = settings().memory;
  return kSuccess;
}
Result cuMemAlloc(Address* address, size_t bytes) {
  NEED_CONTEXT();
  FORBID_CAPTURE();
  return current->allocate(bytes, address);
}
Result cuMemFree(Address address) {
  NEED_INIT();
  if (!current) return kInvalidContext;
  FORBID_CAPTURE();
  drain_all(current);
  return address == 0 ? kSuccess : current->release(address);
}

Result cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
  NEED_CONTEXT();
  FORBID_CAPTURE();
  if (bytes == 0) return kInvalidValue;
  auto* block = static_cast<unsigned char*>(std::malloc(bytes));
  if (!block) return kOutOfMemory;
  std::lock_guard lock(pinned_mutex);
  pinned.emplace(block, bytes);
  ++current->live_objects;
  *memory = block;
  return kSuccess;
}
Result cuMemFreeHost(void* memory) {
  NEED_INIT();
  if (!current) return kInvalidContext;
  drain_all(current);
  std::lock_guard lock(pinned_mutex);
  for (auto at = pinned.begin(); at != pinned.end(); ++at)
    if (at->first == memory) {
      std::free(memory);
      pinned.erase(at);
      --current->live_objects;
      return kSuccess;
    }
  return kInvalidValue;
}

Result cuMemcpyHtoDAsync(Address to, const void* from, size_t bytes, StreamHandle handle) {
  NEED_CONTEXT();
  FIND(stream, streams, handle);
  if (!from || !stream->device->owns(to, bytes)) return kInvalidValue;
  ++stream->device->counters.copies;
  auto* target = reinterpret_cast<void*>(to);
  if (is_pinned(from, bytes)) {
    stream->push({[=](Stream&) { std::memcpy(target, from, bytes); }});
    return kSuccess;
  }
  if (stream->capturing()) {
    stream->invalidate();
    return kStreamCaptureUnsupported;
  }
  const auto* begin = static_cast<const unsigned char*>(from);
  stream->push({[target, bytes, copy = std::vector<unsigned char>(begin, begin + bytes)](Stream&) {
    std::memcpy(target, copy.data(), bytes);
  }});
  return kSuccess;
}
Result cuMemcpyDtoHAsync(void* to, Address from, size_t bytes, StreamHandle handle) {
  NEED_CONTEXT();
  FIND(stream, streams, handle);
  if (!to || !stream->device->owns(from, bytes)) return kInvalidValue;
  ++stream->device->counters.copies;
  stream->push({[=](Stream&) { std::memcpy(to, reinterpret_cast<const void*>(from), bytes); }});
  if (!is_pinned(to, bytes)) stream->drain();
  return kSuccess;
}
Result cuMemsetD8Async(Address to, unsigned char value, size_t bytes, StreamHandle handle) {
  NEED_CONTEXT();
  FIND(stream, streams, handle);
  if (!stream->device->owns(to, bytes)) return kInvalidValue;
  stream->push({[=](Stream&) { fill(reinterpret_cast<unsigned char*>(to), value, bytes); }});
  return kSuccess;
}

}  // namespace kvasir::simt::lookalike
