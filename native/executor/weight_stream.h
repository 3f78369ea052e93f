// Weights that do not fit in memory, run from the map of their file. A system keeps what was used last, and a step uses every
// weight once, in order: so each page would go just before it is needed again, and every token would read the whole file.
// So a part of the matrices is chosen that streams: each of them is dropped when it was used, which leaves the others where
// they are, and the next of them is asked for before it is needed.
#pragma once

#include <cstdint>
#include <vector>

#include "native/program/program.h"

namespace kvasir {

class WeightStream {
 public:
  // `room`: bytes of weights that stay in memory; the streaming ones are spread evenly over the rest.
  WeightStream(const Weights& weights, int64_t room);

  // This matrix was used in this step. Does not allocate.
  void passed(const Weight& weight) const;

  bool empty() const { return parts_.empty(); }

 private:
  struct Part {
    const uint8_t* data;
    size_t bytes;
    size_t next;  // in order of use
  };
  std::vector<Part> parts_;  // by address
};

}  // namespace kvasir
