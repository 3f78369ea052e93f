// Counts what the memory system would be asked for: the addresses of a warp's lanes in one instruction together.
//
// Lanes come one after another, so a request is put together by instruction and by how often the lane has executed it.
// Where lanes of one warp run a loop a different number of times, requests may be matched wrongly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "native/simt/machine.h"

namespace kvasir::simt {

class Lint {
 public:
  explicit Lint(Counters& counters) : counters_(counters) {}
  // `buffer`: the name of the global buffer, null for shared memory.
  void note(const Thread& thread, const void* site, size_t offset, size_t bytes, const std::string* buffer,
            bool writes);
  void end_block();

 private:
  struct Request {
    std::vector<std::pair<int, size_t>> offsets;  // lane, offset
    size_t bytes = 0;
    const std::string* buffer = nullptr;
    bool writes = false;
  };
  struct Site {
    uint32_t executed[32] = {};  // times, by lane
    std::vector<Request> requests;
  };
  void count(Request& request);

  Counters& counters_;
  std::map<std::pair<int, const void*>, Site> sites_;  // by warp and instruction
};

}  // namespace kvasir::simt
