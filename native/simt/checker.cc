// Vector clocks and shadow memory.
#include "native/simt/checker.h"

#include <algorithm>
#include <utility>

#include "native/base/check.h"

namespace kvasir::simt {

Checker::Checker(Machine& machine, const unsigned char* stacks, size_t stack_bytes)
    : machine_(machine), stacks_(stacks), stack_bytes_(stack_bytes), lint_(machine.counters) {}

void Checker::add_buffer(const void* data, size_t bytes, int granule, const char* name, bool initialised) {
  Region region{static_cast<const unsigned char*>(data), bytes, granule, name, false, {}};
  region.shadow.resize(bytes / granule + 1);
  for (Shadow& shadow : region.shadow) shadow.initialised = initialised;
  buffers_.push_back(std::move(region));
}

void Checker::begin_launch(int threads) {
  engine_ = threads;
  threads_ = threads + 1 + threads / 32;
  block_ = 0;
  for (Region& region : buffers_)
    for (Shadow& shadow : region.shadow) {
      const bool initialised = shadow.initialised;
      shadow = {};
      shadow.initialised = initialised;
    }
}

void Checker::begin_block() {
  ++block_;
  clocks_.assign(threads_ * threads_, 0);
  for (size_t i = 0; i < threads_; ++i) clocks_[i * threads_ + i] = 1;
  readers_.clear();
  fenced_.assign(engine_, 0);
  known_.assign(engine_, {});
  engine_clock_ = 0;
  const Launch& launch = machine_.launched;
  shared_ = {machine_.shared, launch.shared_bytes, launch.shared_granule, "shared memory", true, {}};
  shared_.shadow.resize(launch.shared_bytes / launch.shared_granule + 1);
}

Region* Checker::find(const unsigned char* address) {
  if (address >= shared_.data && address < shared_.data + shared_.bytes) return &shared_;
  for (Region& region : buffers_)
    if (address >= region.data && address < region.data + region.bytes) return &region;
  // A page on either side of shared memory that is nobody's belongs to it: a step past its end is told as that.
  constexpr size_t kNear = 4096;
  const bool near = address + kNear >= shared_.data && address < shared_.data + shared_.bytes + kNear;
  return near ? &shared_ : nullptr;
}

bool Checker::before(uint32_t block, uint32_t other, uint32_t at, const Thread& thread) {
  return block == block_ && (static_cast<int>(other) == thread.id || clock(thread)[other] >= at);
}

bool Checker::reads_before(const Shadow& shadow, const Thread& thread) {
  if (!shadow.read) return true;
  if (shadow.read_by_blocks || shadow.read_block != block_) return false;
  if (shadow.readers < 0) return before(shadow.read_block, shadow.reader, shadow.read_clock, thread);
  const uint32_t* at = &readers_[static_cast<size_t>(shadow.readers) * threads_];
  for (size_t i = 0; i < threads_; ++i)
    if (static_cast<int>(i) != thread.id && clock(thread)[i] < at[i]) return false;
  return true;
}

bool Checker::wgmma_before(const Shadow& shadow, const Thread& thread) {
  for (int group = 0; group < kMaxWarpgroups; ++group)
    for (int warp = 0; shadow.wgmma_read[group] && warp < 4; ++warp)
      if (clock(thread)[engine_ + 1 + group * 4 + warp] < shadow.wgmma_read[group]) return false;
  return true;
}

void Checker::note_read(Shadow& shadow, const Thread& thread) {
  const uint32_t now = clock(thread)[thread.id];
  if (shadow.read && shadow.read_block != block_) {
    shadow.read_by_blocks = true;
  } else if (shadow.readers >= 0) {
    readers_[static_cast<size_t>(shadow.readers) * threads_ + thread.id] = now;
    return;
  } else if (shadow.read && !before(shadow.read_block, shadow.reader, shadow.read_clock, thread)) {
    shadow.readers = static_cast<int32_t>(readers_.size() / threads_);
    readers_.resize(readers_.size() + threads_, 0);
    uint32_t* at = &readers_[static_cast<size_t>(shadow.readers) * threads_];
    at[shadow.reader] = shadow.read_clock;
    at[thread.id] = now;
    return;
  }
  shadow.read = true;
  shadow.reader = static_cast<uint16_t>(thread.id);
  shadow.read_clock = now;
  shadow.read_block = block_;
  shadow.readers = -1;
}

void Checker::race(const char* what, const Region& region, size_t offset, const Thread& thread, int other,
                   uint32_t block) {
  const std::string where = block == block_ ? "" : " of another block";
  machine_.report.add(
      "race", text(what, " at ", region.name, "+", offset, ": thread ", thread.id, " and thread ", other, where));
}

bool Checker::access(const void* pointer, size_t bytes, Access kind, Thread& thread, const void* site) {
  const auto* address = static_cast<const unsigned char*>(pointer);
  if (address >= stacks_ && address < stacks_ + stack_bytes_) {
    if (machine_.touches_wgmma(address, bytes, kind != Access::read, thread))
      machine_.report.add("in-flight", text("thread ", thread.id, " touches a register of a wgmma that is in flight"));
    return true;
  }
  Region* region = find(address);
  const char* verb = kind == Access::read ? "read" : "write";
  if (!region || address < region->data || address + bytes > region->data + region->bytes) {
    const std::string where = region ? text(" at ", region->name, "+", address - region->data, " of ", region->bytes)
                                     : " outside every buffer";
    machine_.report.add("bounds", text(verb, " of ", bytes, " bytes", where, " by thread ", thread.id));
    return false;
  }
  if (reinterpret_cast<uintptr_t>(address) % bytes)
    machine_.report.add("misaligned",
                        text(verb, " of ", bytes, " bytes at ", region->name, "+", address - region->data));
  const size_t offset = address - region->data;
  if (site) lint_.note(thread, site, offset, bytes, region->is_shared ? nullptr : &region->name, kind != Access::read);
  const uint32_t now = clock(thread)[thread.id];
  for (size_t g = offset / region->granule; g <= (offset + bytes - 1) / region->granule; ++g) {
    Shadow& shadow = region->shadow[g];
    const size_t at = g * region->granule;
    if (shadow.in_flight)
      machine_.report.add("in-flight", text(verb, " of ", region->name, "+", at, " by thread ", thread.id,
                                            " while the copy that thread ", shadow.writer, " began is in flight"));
    if (!shadow.initialised && !shadow.in_flight && kind != Access::write)
      machine_.report.add("uninitialised", text("thread ", thread.id, " reads ", region->name, "+", at));
    const char* what = kind == Access::read ? "read after write" : "write after write";
    if (shadow.written && !before(shadow.write_block, shadow.writer, shadow.write_clock, thread))
      race(what, *region, at, thread, shadow.writer, shadow.write_block);
    if (shadow.atomic && kind != Access::atomic &&
        !before(shadow.atomic_block, shadow.atomic_by, shadow.atomic_clock, thread))
      race(what, *region, at, thread, shadow.atomic_by, shadow.atomic_block);
    if (kind == Access::read) {
      note_read(shadow, thread);
      continue;
    }
    if (!reads_before(shadow, thread)) race("write after read", *region, at, thread, shadow.reader, shadow.read_block);
    if (!wgmma_before(shadow, thread))
      machine_.report.add("race", text("write at ", region->name, "+", at, " by thread ", thread.id,
                                       " while a wgmma may still read it"));
    const Shadow old = shadow;
    shadow = {};
    shadow.initialised = true;
    shadow.in_flight = old.in_flight;
    if (kind == Access::atomic) {  // the plain write before it still counts
      shadow.written = old.written;
      shadow.writer = old.writer;
      shadow.write_clock = old.write_clock;
      shadow.write_block = old.write_block;
      shadow.atomic = true;
      shadow.atomic_by = static_cast<uint16_t>(thread.id);
      shadow.atomic_clock = now;
      shadow.atomic_block = block_;
      continue;
    }
    shadow.written = true;
    shadow.writer = static_cast<uint16_t>(thread.id);
    shadow.write_clock = now;
    shadow.write_block = block_;
  }
  return true;
}

void Checker::begin_copy(uint32_t to, int size, Thread& thread, const void* site) {
  for (int i = 0; i < size; i += 16)
    if (!access(machine_.shared + to + i, std::min(size, 16), Access::write, thread, site)) return;
  for (size_t g = to / shared_.granule; g <= (to + size - 1u) / shared_.granule; ++g)
    shared_.shadow[g].in_flight = true;
}

// From here the copy is a write of the thread that waited for it.
void Checker::end_copy(uint32_t to, int size, Thread& thread) {
  for (size_t g = to / shared_.granule; g <= (to + size - 1u) / shared_.granule; ++g) {
    Shadow& shadow = shared_.shadow[g];
    shadow.in_flight = false;
    shadow.writer = static_cast<uint16_t>(thread.id);
    shadow.write_clock = clock(thread)[thread.id];
  }
}

void Checker::release(Thread& thread, std::vector<uint32_t>& joined) {
  uint32_t* own = clock(thread);
  joined.resize(threads_, 0);
  for (size_t i = 0; i < threads_; ++i) joined[i] = std::max(joined[i], own[i]);
  ++own[thread.id];
}

void Checker::acquire(Thread& thread, const std::vector<uint32_t>& joined) {
  uint32_t* own = clock(thread);
  for (size_t i = 0; i < joined.size(); ++i) own[i] = std::max(own[i], joined[i]);
}

}  // namespace kvasir::simt
