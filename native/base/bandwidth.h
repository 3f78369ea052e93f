// How fast so many threads together read memory: what bounds a token of one sequence, which reads every weight once.
#pragma once

namespace kvasir {

// Bytes a second; takes about a tenth of a second and 128 MB. Throws KV_NATIVE when the system has no memory or threads.
double read_bandwidth(int threads);

}  // namespace kvasir
