// The little that every operating system does in its own way: one file a system has it (system_posix.cc,
// system_windows.cc).
#pragma once

#include <cstddef>
#include <cstdint>

namespace kvasir {

// Zeroed pages that take memory when they are touched; null when the system refuses. `huge`: large pages where there are
// some, which miss the TLB less and take up to 2 MB more than is used.
uint8_t* map_pages(size_t bytes, bool huge);
void unmap_pages(uint8_t* pages, size_t bytes);
// The pages that lie wholly inside these bytes give their memory back and stay mapped; what they held is lost.
void forget_pages(uint8_t* begin, size_t bytes);

// The thread that calls gives way to others from now on.
void lower_priority();
// The thread that calls has its share of the processors, but takes none from a running thread in the moment it is woken.
void batch_priority();

// The most memory that this process has held, in bytes.
double peak_memory();

}  // namespace kvasir
