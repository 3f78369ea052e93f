#include <windows.h>

#include <algorithm>
#include <vector>

#include "native/base/cpu_count.h"

namespace kvasir {

// Cores of which the process may use a hardware thread. Windows keeps a process in one group of 64 unless it asks for
// more, and so do we.
int usable_cores() {
  DWORD_PTR mine = 0, all = 0;
  GetProcessAffinityMask(GetCurrentProcess(), &mine, &all);
  DWORD bytes = 0;
  GetLogicalProcessorInformation(nullptr, &bytes);
  std::vector<SYSTEM_LOGICAL_PROCESSOR_INFORMATION> list(bytes / sizeof(SYSTEM_LOGICAL_PROCESSOR_INFORMATION));
  if (list.empty() || !GetLogicalProcessorInformation(list.data(), &bytes)) return 1;
  const auto usable = [mine](const auto& entry) {
    return entry.Relationship == RelationProcessorCore && (entry.ProcessorMask & mine) != 0;
  };
  return std::max(1, static_cast<int>(std::count_if(list.begin(), list.end(), usable)));
}

}  // namespace kvasir
