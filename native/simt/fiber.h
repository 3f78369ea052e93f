// A stack of its own that runs until it gives way: one for each emulated CUDA thread.
#pragma once

#include <cstddef>

#if !defined(__x86_64__) || defined(KVASIR_SIMT_UCONTEXT)
#define KVASIR_SIMT_USES_UCONTEXT 1
#include <ucontext.h>
#endif

namespace kvasir::simt {

struct Fiber {
#ifdef KVASIR_SIMT_USES_UCONTEXT
  ucontext_t context;
#else
  void* stack_pointer = nullptr;
#endif
};

// The first switch to `fiber` calls entry(), which must never return.
void prepare(Fiber& fiber, unsigned char* stack, size_t size, void (*entry)());

// Saves where we are in `from` and goes on where `to` was left.
void switch_fiber(Fiber& from, Fiber& to);

}  // namespace kvasir::simt
