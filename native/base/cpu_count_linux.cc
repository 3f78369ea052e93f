#include "native/base/cpu_count.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include <sched.h>

namespace kvasir {
namespace {

int read_int(const std::string& path, int fallback) {
  int value = fallback;
  std::ifstream(path) >> value;
  return value;
}

// cgroup v2: "QUOTA PERIOD" or "max PERIOD".
int quota_cores(int fallback) {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return fallback;
  return std::max(1, static_cast<int>(std::atof(quota.c_str()) / period));
}

}  // namespace

int usable_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return std::max(1u, std::thread::hardware_concurrency());
  }
  std::set<std::pair<int, int>> cores;  // package and core: hardware threads of one core count once
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    cores.emplace(read_int(topology + "physical_package_id", 0), read_int(topology + "core_id", cpu));
  }
  const int physical = std::max<int>(1, static_cast<int>(cores.size()));
  return std::min(physical, quota_cores(physical));
}

}  // namespace kvasir
