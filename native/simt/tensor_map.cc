// Tensor maps, boxes of them, and the fences that belong to copies by the card's own engine.
#include "native/simt/tensor_map.h"

#include <cstring>

#include "native/base/check.h"
#include "native/simt/checker.h"
#include "native/simt/instructions.h"

namespace kvasir::simt {
namespace {

constexpr uint32_t kMagic = 0x50414D54;  // "TMAP"
static_assert(sizeof(MapFields) <= sizeof(cuda::TensorMap));

// Row r of the box, column c: address and bytes in the matrix; none where it is outside.
const unsigned char* row_of(const Box& box, uint32_t r, int64_t* bytes_before, int64_t* bytes) {
  const MapFields& map = box.map;
  const int64_t row = int64_t{box.row} + r, first = std::max(box.column, 0);
  const int64_t end = std::min<int64_t>(int64_t{box.column} + map.box_columns, static_cast<int64_t>(map.columns));
  *bytes = 0;
  if (row < 0 || row >= static_cast<int64_t>(map.rows) || first >= end) return nullptr;
  *bytes_before = (first - box.column) * map.element_bytes;
  *bytes = (end - first) * map.element_bytes;
  return reinterpret_cast<const unsigned char*>(map.address) + row * map.stride + first * map.element_bytes;
}

}  // namespace

std::string refusal(const MapFields& map) {
  const uint64_t inner = uint64_t{map.box_columns} * map.element_bytes;
  const auto swizzle = static_cast<uint32_t>(map.swizzle);
  if (map.address % 16) return "the matrix does not begin at a multiple of 16 bytes";
  if (map.stride % 16 || map.stride < map.columns * map.element_bytes || map.stride >> 40)
    return text("rows lie ", map.stride, " bytes apart: expected a multiple of 16 that holds a row");
  if (!map.columns || !map.rows || map.columns >> 32 || map.rows >> 32) return "no or too many rows or columns";
  if (!map.box_columns || !map.box_rows || map.box_columns > 256 || map.box_rows > 256) return "boxes of 1 to 256";
  if (inner % 16) return text("a row of a box has ", inner, " bytes: expected a multiple of 16");
  if (swizzle > 3 || (swizzle && inner > 16u << swizzle)) return "a row of a box is wider than its swizzle";
  return "";
}

cuda::TensorMap encode(MapFields fields) {
  cuda::TensorMap map = {};
  fields.magic = kMagic;
  std::memcpy(&map, &fields, sizeof fields);
  return map;
}

cuda::TensorMap encode(const cuda::Boxes& boxes) {
  const MapFields fields = {.element_bytes = static_cast<uint32_t>(boxes.element_bytes),
                            .address = reinterpret_cast<uint64_t>(boxes.data),
                            .columns = static_cast<uint64_t>(boxes.columns),
                            .rows = static_cast<uint64_t>(boxes.rows),
                            .stride = static_cast<uint64_t>(boxes.stride),
                            .box_columns = static_cast<uint32_t>(boxes.box_columns),
                            .box_rows = static_cast<uint32_t>(boxes.box_rows),
                            .swizzle = boxes.swizzle};
  const std::string why = refusal(fields);
  KV_CHECK(why.empty(), "INTERNAL", "tensor map: ", why);
  return encode(fields);
}

MapFields fields_of(const cuda::TensorMap& map) {
  MapFields fields;
  std::memcpy(static_cast<void*>(&fields), &map, sizeof fields);
  if (fields.magic != kMagic) fields.magic = 0;
  return fields;
}

void write_box(const Box& box, unsigned char* shared, uint32_t to) {
  const MapFields& map = box.map;
  const uint32_t width = map.box_columns * map.element_bytes;
  unsigned char row[256 * 8];
  for (uint32_t r = 0; r < map.box_rows; ++r) {
    int64_t before = 0, bytes = 0;
    const unsigned char* from = row_of(box, r, &before, &bytes);
    std::memset(row, 0, width);
    if (bytes) std::memcpy(row + before, from, bytes);
    for (uint32_t i = 0; i < width; i += 16)
      std::memcpy(shared + cuda::swizzled(to + r * width + i, map.swizzle), row + i, 16);
  }
}

__attribute__((noinline)) void load_box(uint32_t to, const cuda::TensorMap& map, int column, int row,
                                        uint32_t barrier) {
  Machine& machine = Machine::now();
  const void* site = __builtin_return_address(0);
  const Box box = {fields_of(map), column, row};
  if (!box.map.magic) return machine.report.add("uninitialised", "a tensor map that nobody encoded");
  const int bytes = static_cast<int>(box.map.box_bytes());
  if (to % 128) machine.report.add("misaligned", text("a box at shared memory+", to, ": expected a multiple of 128"));
  if (to + bytes > machine.launched.shared_bytes)
    return machine.report.add("bounds", "cp.async.bulk.tensor writes past the end of shared memory");
  if (Checker* checker = machine.checker.get()) {
    for (uint32_t r = 0; r < box.map.box_rows; ++r) {
      int64_t before = 0, count = 0;
      const unsigned char* from = row_of(box, r, &before, &count);
      if (count && !checker->read_by_copy(from, static_cast<int>(count), machine.thread(), site)) return;
    }
    checker->begin_copy(to, bytes, machine.thread(), nullptr);
  }
  machine.bulk_copies.push_back({to, nullptr, bytes, barrier, box});
}

void fence_barrier_init() {
  Machine& machine = Machine::now();
  for (auto& [at, barrier] : machine.mbarriers)
    if (barrier.maker == machine.thread().id) barrier.maker = -1;
}

void fence_async() {
  Machine& machine = Machine::now();
  if (machine.checker) machine.checker->fence_async(machine.thread());
}

}  // namespace kvasir::simt
