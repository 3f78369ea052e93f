// What a TensorMap holds here: the driver's real one is opaque. Limits as in the documentation of cuTensorMapEncodeTiled.
#pragma once

#include <cstdint>
#include <string>

#include "native/cuda/tensor_map.h"

namespace kvasir::simt {

// The arguments of cuTensorMapEncodeTiled that we support: two dimensions, whole elements, no interleaving.
struct MapFields {
  uint32_t magic = 0;
  uint32_t element_bytes = 0;
  uint64_t address = 0;
  uint64_t columns = 0, rows = 0, stride = 0;
  uint32_t box_columns = 0, box_rows = 0;
  cuda::Swizzle swizzle = cuda::Swizzle::none;

  uint32_t box_bytes() const { return box_columns * box_rows * element_bytes; }
};

// Empty, or why the driver would refuse it.
std::string refusal(const MapFields& fields);

cuda::TensorMap encode(MapFields fields);
cuda::TensorMap encode(const cuda::Boxes& boxes);  // of this process's memory
MapFields fields_of(const cuda::TensorMap& map);   // magic 0: it is none

// A box on its way.
struct Box {
  MapFields map;
  int column = 0, row = 0;
};
// Writes it at `to` of the block's shared memory.
void write_box(const Box& box, unsigned char* shared, uint32_t to);

}  // namespace kvasir::simt
