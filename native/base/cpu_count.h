// How many threads are worth starting.
#pragma once

namespace kvasir {

// Physical cores that the affinity mask allows, and no more than the cgroup's CPU quota; at least 1.
int usable_cores();

}  // namespace kvasir
