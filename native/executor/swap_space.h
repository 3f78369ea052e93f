// Places for pages that are swapped out: in memory of this machine, or in a file. The words of a swap, all i32:
//
//   from, to, …   copied one after another; below `pages` a page of the KV cache, from there on a place
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "native/base/anonymous_memory.h"
#include "native/base/scratch_file.h"
#include "native/base/worker.h"
#include "native/ops/kv_cache.h"

namespace kvasir {

struct SwapOptions {
  int32_t pages = 0;   // places; 0: no swap
  std::string folder;  // of the file; empty: memory
};

// Throws KV_NATIVE unless each copy goes from a page to a place or back.
void check_swap(const std::vector<int32_t>& copies, int32_t pages, int32_t places);

class SwapSpace {
 public:
  // Throws KV_DISK when there can be no file, KV_NATIVE when the system refuses the memory.
  SwapSpace(const SwapOptions& options, const KvCache& kv);

  // A thread's share of copies that check_swap() let pass: the same bytes of each page, so that one copy follows another
  // without a barrier. Throws KV_DISK.
  void copy(const std::vector<int32_t>& copies, const Worker& worker) const;

 private:
  const KvCache kv_;
  AnonymousMemory memory_;
  std::optional<ScratchFile> file_;
};

}  // namespace kvasir
