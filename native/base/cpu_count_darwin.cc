#include <sys/sysctl.h>

#include <algorithm>
#include <thread>

#include "native/base/cpu_count.h"

namespace kvasir {
namespace {

int number_of(const char* name) {
  int value = 0;
  size_t size = sizeof(value);
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

}  // namespace

// The fast cores of Apple's processors, which have a level of their own; macOS has no affinity mask and no quota.
int usable_cores() {
  if (const int fast = number_of("hw.perflevel0.physicalcpu")) return fast;
  if (const int physical = number_of("hw.physicalcpu")) return physical;
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace kvasir
