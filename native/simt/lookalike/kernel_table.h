// The kernels that this library was built with, by name: what a .fatbin is to the real driver.
#pragma once

#include <cstddef>
#include <string_view>

namespace kvasir::simt::lookalike {

struct KernelEntry {
  const char* name;
  size_t argument_bytes;
  void (*run)(const void* argument);  // on a fiber of the emulator
};

// Null when there is none of that name.
const KernelEntry* find_kernel(std::string_view name);

// The first bytes of an image that this driver loads; a real .fatbin is refused, as the real driver refuses ours.
constexpr std::string_view kImageMagic = "KVASIR-SIMT\n";

}  // namespace kvasir::simt::lookalike
