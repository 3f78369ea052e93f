// wgmma (PTX ISA, "Asynchronous warpgroup level matrix multiply-accumulate", sm_90a): begins when the four warps have met and
// may be over at any time up to the wait: operands in shared memory are read as late as possible or at once, by seed, and
// registers hold nothing of use meanwhile. Layouts of registers: native/cuda/ptx_hopper.h; of shared memory: tensor_map.h.
#include "native/simt/wgmma.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <type_traits>

#include "native/base/check.h"
#include "native/formats/half.h"
#include "native/simt/checker.h"
#include "native/simt/machine.h"

namespace kvasir::simt {
namespace {

constexpr int kRows = 64, kBytes = 32;  // of the first operand; of K that one instruction takes

// Where 16 bytes of a row of a matrix lie (chunk 0 or 1).
uint32_t place(uint64_t matrix, int row, int chunk) {
  const auto base = static_cast<uint32_t>(matrix & 0x3FFF) << 4,
             leading = static_cast<uint32_t>(matrix >> 16 & 0x3FFF) << 4,
             stride = static_cast<uint32_t>(matrix >> 32 & 0x3FFF) << 4;
  const auto mode = static_cast<uint32_t>(matrix >> 62);
  if (mode == 0) return base + row / 8 * stride + chunk * leading + row % 8 * 16;
  const uint32_t width = 256u >> mode;  // 1: 128 bytes, 2: 64, 3: 32
  return cuda::swizzled(base + row / 8 * stride + row % 8 * width + chunk * 16, static_cast<cuda::Swizzle>(4 - mode));
}
// The same with N along the row: columns 8·chunk … of row k.
uint32_t place_across(uint64_t matrix, int k, int chunk) {
  const auto base = static_cast<uint32_t>(matrix & 0x3FFF) << 4,
             block = static_cast<uint32_t>(matrix >> 16 & 0x3FFF) << 4,
             stride = static_cast<uint32_t>(matrix >> 32 & 0x3FFF) << 4;
  const auto mode = static_cast<uint32_t>(matrix >> 62);
  if (mode == 0) return base + chunk * stride + k / 8 * block + k % 8 * 16;
  const uint32_t width = 256u >> mode, chunks = width / 16;
  return cuda::swizzled(base + chunk / chunks * block + k / 8 * stride + k % 8 * width + chunk % chunks * 16,
                        static_cast<cuda::Swizzle>(4 - mode));
}
cuda::Swizzle swizzle_of(uint64_t matrix) {
  const auto mode = static_cast<uint32_t>(matrix >> 62);
  return static_cast<cuda::Swizzle>(mode ? 4 - mode : 0);
}

void read_chunk(const Machine& machine, uint32_t from, void* to) {
  if (from + 16 <= machine.launched.shared_bytes)
    std::memcpy(to, machine.shared + from, 16);
  else
    std::memset(to, 0xFF, 16);
}

template <typename Element>
void read_rows(const Machine& machine, uint64_t matrix, int rows, Element* to) {
  for (int row = 0; row < rows; ++row)
    for (int chunk = 0; chunk < 2; ++chunk)
      read_chunk(machine, place(matrix, row, chunk), reinterpret_cast<unsigned char*>(to) + row * kBytes + chunk * 16);
}

// [K, N] in shared memory → [N, K].
template <typename Element>
void read_across(const Machine& machine, uint64_t matrix, int columns, Element* to) {
  constexpr int kK = kBytes / sizeof(Element), kEach = 16 / sizeof(Element);
  for (int k = 0; k < kK; ++k)
    for (int chunk = 0; chunk * kEach < columns; ++chunk) {
      Element row[kEach];
      read_chunk(machine, place_across(matrix, k, chunk), row);
      for (int i = 0; i < kEach; ++i) to[(chunk * kEach + i) * kK + k] = row[i];
    }
}

int s8(int8_t element) { return element; }
float bf16(uint16_t element) { return bf16_to_f32(element); }
float f16(uint16_t element) { return f16_to_f32(element); }

// Too much for a fiber's stack.
template <typename Element, typename Held>
struct Operands {
  Element raw[256][kBytes / sizeof(Element)];
  Held a[kRows][kBytes / sizeof(Element)], b[256][kBytes / sizeof(Element)];
};

template <typename Element, typename Sum, auto decode>
void multiply(const Machine& machine, const Wgmma& op) {
  constexpr int kK = kBytes / sizeof(Element), kEach = 4 / sizeof(Element);
  using Held = std::conditional_t<std::is_same_v<Sum, int32_t>, int16_t, Sum>;  // for the host's 16-bit dot products
  const auto operands = std::make_unique_for_overwrite<Operands<Element, Held>>();
  auto& [raw, a, b] = *operands;
  if (op.in.a) {
    for (int id = 0; id < kGroupThreads; ++id)
      for (int r = 0; r < 4; ++r) {
        const int row = id / 32 * 16 + id % 32 / 4 + r % 2 * 8, column = (id % 4 + r / 2 * 4) * kEach;
        std::memcpy(&raw[row][column], &op.a[id][r], 4);
      }
  } else {
    read_rows(machine, op.in.a_matrix, kRows, &raw[0][0]);
  }
  for (int row = 0; row < kRows; ++row)
    for (int k = 0; k < kK; ++k) a[row][k] = static_cast<Held>(decode(raw[row][k]));
  if (op.in.across)
    read_across(machine, op.in.b_matrix, op.in.n, &raw[0][0]);
  else
    read_rows(machine, op.in.b_matrix, op.in.n, &raw[0][0]);
  for (int row = 0; row < op.in.n; ++row)
    for (int k = 0; k < kK; ++k) b[row][k] = static_cast<Held>(decode(raw[row][k]));
  for (int id = 0; id < kGroupThreads; ++id)
    for (int i = 0; i < op.in.n / 2; ++i) {
      const int row = id / 32 * 16 + id % 32 / 4 + i / 2 % 2 * 8, column = i / 4 * 8 + id % 4 * 2 + i % 2;
      Sum sum = 0;
      for (int k = 0; k < kK; ++k) sum += a[row][k] * b[column][k];
      Sum old = 0;
      if (op.in.adds) std::memcpy(&old, op.chained ? &op.d[id][i] : &op.before[id * (op.in.n / 2) + i], 4);
      sum += old;
      std::memcpy(&op.d[id][i], &sum, 4);
    }
}

void compute(Machine& machine, Wgmma& op) {
  if (op.computed) return;
  op.computed = true;
  if (op.in.a)
    for (int id = 0; id < kGroupThreads; ++id)
      if (std::memcmp(op.a[id], op.a_from[id], sizeof op.a[id]) != 0) {
        machine.report.add("in-flight", text("thread ", id, " of a warpgroup changes a register that wgmma reads"));
        break;
      }
  if (op.in.kind == WgmmaKind::s8)
    multiply<int8_t, int32_t, s8>(machine, op);
  else if (op.in.kind == WgmmaKind::bf16)
    multiply<uint16_t, float, bf16>(machine, op);
  else
    multiply<uint16_t, float, f16>(machine, op);
}

void check_across(Machine& machine, uint64_t matrix, int columns, const Wgmma& op) {
  for (int k = 0; k < kBytes / 2; ++k)
    for (int chunk = 0; chunk * 8 < columns; ++chunk)
      if (!machine.checker->read_by_wgmma(place_across(matrix, k, chunk), 16, machine.thread(), swizzle_of(matrix),
                                          op.epoch))
        return;
}

void check_operand(Machine& machine, uint64_t matrix, int rows, const Wgmma& op) {
  for (int row = 0; row < rows; ++row)
    for (int chunk = 0; chunk < 2; ++chunk)
      if (!machine.checker->read_by_wgmma(place(matrix, row, chunk), 16, machine.thread(), swizzle_of(matrix),
                                          op.epoch))
        return;
}

void begin(Machine& machine, Warpgroup& group) {
  const int words = group.in.n / 2;
  Wgmma op{.in = group.in, .group = group.thread[0]->wgmma_groups, .epoch = ++group.epoch, .before = {}};
  for (int id = 0; id < kGroupThreads; ++id) {
    Thread& thread = *group.thread[id];
    if (!thread.wgmma_fenced)
      machine.report.add("unfenced", "wgmma after its registers were used, without wgmma.fence");
    op.d[id] = group.d[id];
    op.a_from[id] = group.a[id];
    if (op.in.a) std::memcpy(op.a[id], group.a[id], sizeof op.a[id]);
  }
  for (const Wgmma& other : group.flight) op.chained |= other.d[0] == op.d[0] && !other.computed;
  if (op.in.adds && !op.chained)
    for (int id = 0; id < kGroupThreads; ++id) op.before.insert(op.before.end(), op.d[id], op.d[id] + words);
  for (int id = 0; machine.checker && !op.chained && id < kGroupThreads; ++id) std::memset(op.d[id], 0xFF, words * 4);
  if (machine.checker) {
    if (op.in.across)
      check_across(machine, op.in.b_matrix, op.in.n, op);
    else
      check_operand(machine, op.in.b_matrix, op.in.n, op);
    if (!op.in.a) check_operand(machine, op.in.a_matrix, kRows, op);
  }
  machine.counters.mma += 4 * op.in.n / 8;  // as many as of mma.sync
  if (machine.launched.seed && !op.chained && machine.random() % 2) compute(machine, op);
  group.flight.push_back(std::move(op));
}

}  // namespace

void wgmma(const WgmmaIn& in, void* d) {
  Machine& machine = Machine::now();
  Thread& thread = machine.thread();
  Warpgroup& group = machine.warpgroup();
  const int id = thread.id % kGroupThreads;
  if (group.present && std::memcmp(&group.in.b_matrix, &in.b_matrix, sizeof in.b_matrix) != 0)
    machine.report.add("divergence", "the threads of a warpgroup give wgmma different matrices");
  group.in = in;
  group.thread[id] = &thread;
  group.d[id] = static_cast<uint32_t*>(d);
  group.a[id] = in.a;
  if (++group.present < kGroupThreads) {
    thread.waits = true;
    return machine.wait();
  }
  begin(machine, group);
  group.present = 0;
  for (Thread* other : group.thread) other->waits = false;
}

void wgmma_fence() { Machine::now().thread().wgmma_fenced = true; }

void wgmma_commit() { ++Machine::now().thread().wgmma_groups; }

void wgmma_wait(int groups) {
  Machine& machine = Machine::now();
  Thread& thread = machine.thread();
  Warpgroup& group = machine.warpgroup();
  const int over = thread.wgmma_groups - groups;
  thread.wgmma_over = std::max(thread.wgmma_over, over);
  thread.wgmma_fenced = false;
  uint32_t epoch = 0;
  for (Wgmma& op : group.flight)
    if (op.group < over) {
      compute(machine, op);
      epoch = std::max(epoch, op.epoch);
    }
  if (machine.checker && epoch) machine.checker->end_wgmma(epoch, thread);
  // What nobody has to wait for any more goes; those of other threads may still come to their wait.
  std::erase_if(group.flight, [&](const Wgmma& op) {
    return op.computed && std::all_of(std::begin(group.thread), std::end(group.thread),
                                      [&](const Thread* t) { return t->wgmma_over > op.group; });
  });
}

bool Machine::touches_wgmma(const void* address, size_t bytes, bool writes, const Thread& thread) const {
  const auto* first = static_cast<const unsigned char*>(address);
  const auto overlaps = [&](const void* from, size_t size) {
    const auto* at = static_cast<const unsigned char*>(from);
    return at && first < at + size && at < first + bytes;
  };
  const int id = thread.id % kGroupThreads;
  for (const Wgmma& op : warpgroups_[thread.id / kGroupThreads].flight) {
    if (op.group < thread.wgmma_over) continue;
    if (overlaps(op.d[id], static_cast<size_t>(op.in.n) * 2)) return true;
    if (writes && op.in.a && overlaps(op.a_from[id], sizeof op.a[id])) return true;
  }
  return false;
}

}  // namespace kvasir::simt
