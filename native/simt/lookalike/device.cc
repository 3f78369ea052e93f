#include "native/simt/lookalike/device.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "native/simt/lookalike/settings.h"

namespace kvasir::simt::lookalike {
namespace {

constexpr size_t kPage = 4096, kAlignment = 256;
// Larger blocks are not filled with NaN: that would take the memory which they only reserve.
constexpr size_t kPoisoned = size_t{64} << 20;

size_t up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

int number(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? std::atoi(value) : otherwise;
}

}  // namespace

const Settings& settings() {
  static const Settings once = [] {
    Settings s;
    s.devices = number("KVASIR_SIMT_DEVICES", s.devices);
    if (const char* list = std::getenv("KVASIR_SIMT_COMPUTE"); list && *list) {
      s.compute.clear();
      for (const char* at = list; at; at = std::strchr(at, ',') ? std::strchr(at, ',') + 1 : nullptr)
        s.compute.push_back(std::atoi(at));
    }
    s.driver_version = number("KVASIR_SIMT_VERSION", s.driver_version);
    s.init_result = number("KVASIR_SIMT_INIT", s.devices > 0 ? driver::kSuccess : driver::kNoDevice);
    if (const char* bytes = std::getenv("KVASIR_SIMT_MEMORY")) s.memory = std::strtoull(bytes, nullptr, 10);
    if (const char* name = std::getenv("KVASIR_SIMT_BROKEN")) s.broken = name;
    if (const char* name = std::getenv("KVASIR_SIMT_STUCK")) s.stuck = name;
    if (const char* path = std::getenv("KVASIR_SIMT_REPORT")) s.report = path;
    return s;
  }();
  return once;
}

Device* device_at(int index) {
  static const auto& devices = *[] {
    auto* all = new std::vector<std::unique_ptr<Device>>;  // never destroyed: streams may outlive static objects
    for (int i = 0; i < settings().devices; ++i) all->push_back(std::make_unique<Device>(i));
    return all;
  }();
  return index >= 0 && index < static_cast<int>(devices.size()) ? devices[index].get() : nullptr;
}

void fill(unsigned char* to, unsigned char value, size_t bytes) {
  unsigned char* const end = to + bytes;
  auto* first = reinterpret_cast<unsigned char*>(up(reinterpret_cast<size_t>(to), kPage));
  auto* last = reinterpret_cast<unsigned char*>(reinterpret_cast<size_t>(end) / kPage * kPage);
  if (value != 0 || first >= last) {
    std::memset(to, value, bytes);
    return;
  }
  std::memset(to, 0, first - to);
  madvise(first, last - first, MADV_DONTNEED);
  std::memset(last, 0, end - last);
}

// The block ends where a page that nobody may touch begins, and another lies before it.
driver::Result Device::allocate(size_t bytes, driver::Address* address) {
  std::lock_guard lock(mutex_);
  const size_t rounded = up(bytes, kAlignment), inside = up(rounded, kPage);
  if (bytes == 0 || !address) return driver::kInvalidValue;
  if (rounded > settings().memory - used_) return driver::kOutOfMemory;
  const size_t map_bytes = inside + 2 * kPage;
  void* map = mmap(nullptr, map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) return driver::kOutOfMemory;
  auto* base = static_cast<unsigned char*>(map);
  mprotect(base + kPage, inside, PROT_READ | PROT_WRITE);
  unsigned char* data = base + kPage + (inside - rounded);
  if (rounded <= kPoisoned) std::memset(data, 0xFF, rounded);
  used_ += rounded;
  *address = reinterpret_cast<driver::Address>(data);
  blocks_[*address] = {base, map_bytes, rounded};
  return driver::kSuccess;
}

driver::Result Device::release(driver::Address address) {
  std::lock_guard lock(mutex_);
  const auto block = blocks_.find(address);
  if (block == blocks_.end()) return driver::kInvalidValue;
  munmap(block->second.map, block->second.map_bytes);
  used_ -= block->second.bytes;
  blocks_.erase(block);
  return driver::kSuccess;
}

bool Device::owns(driver::Address address, size_t bytes) const {
  std::lock_guard lock(mutex_);
  auto block = blocks_.upper_bound(address);
  if (block == blocks_.begin()) return false;
  --block;
  const size_t offset = address - block->first;
  return offset <= block->second.bytes && bytes <= block->second.bytes - offset;
}

size_t Device::free_bytes() const {
  std::lock_guard lock(mutex_);
  return settings().memory - used_;
}

size_t Device::allocations() const {
  std::lock_guard lock(mutex_);
  return blocks_.size();
}

void Device::fail(driver::Result result, const std::string& why) {
  driver::Result none = driver::kSuccess;
  if (!failure_.compare_exchange_strong(none, result)) return;
  std::fprintf(stderr, "look-alike driver: device %d: %s\n", index, why.c_str());
  why_ = why;
}

void Device::release_user() {
  if (--users_ == 0) report();
}

void Device::report() const {
  if (settings().report.empty()) return;
  FILE* file = std::fopen(settings().report.c_str(), "a");
  if (!file) return;
  std::fprintf(
      file,
      "{\"device\":%d,\"launches\":%llu,\"graphLaunches\":%llu,\"graphKernels\":%llu,\"captured\":%llu,"
      "\"wgmmaKernels\":%llu,\"copies\":%llu,\"allocations\":%zu,\"objects\":%d}\n",
      index, static_cast<unsigned long long>(counters.launches),
      static_cast<unsigned long long>(counters.graph_launches), static_cast<unsigned long long>(counters.graph_kernels),
      static_cast<unsigned long long>(counters.captured), static_cast<unsigned long long>(counters.wgmma_kernels),
      static_cast<unsigned long long>(counters.copies), allocations(), live_objects.load());
  std::fclose(file);
}

}  // namespace kvasir::simt::lookalike
