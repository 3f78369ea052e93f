// A kernel that touches a guard page ends as on a card: with an illegal address, and the process goes on.
#pragma once

#include <functional>

namespace kvasir::simt::lookalike {

// Runs `body`; false when it touched memory that it may not.
bool without_fault(const std::function<void()>& body);

}  // namespace kvasir::simt::lookalike
