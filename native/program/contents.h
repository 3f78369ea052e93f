// Which buffers of an arena hold a value while a tape is followed instruction by instruction.
#pragma once

#include <cstdint>
#include <vector>

#include "native/program/program.h"

namespace kvasir::tape {

class Contents {
 public:
  explicit Contents(const std::vector<Program::Buffer>& buffers)
      : buffers_(buffers), filled_(buffers.size(), 0), overlaps_(buffers.size()) {
    for (size_t i = 0; i < buffers.size(); ++i) {
      for (size_t j = 0; j < buffers.size(); ++j) {
        const auto &a = buffers[i], &b = buffers[j];
        if (i != j && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes)
          overlaps_[i].push_back(static_cast<int32_t>(j));
      }
    }
  }

  // Columns of `buffer` that hold a value, from the first on.
  int32_t filled(int32_t buffer) const { return filled_[buffer]; }
  bool full(int32_t buffer) const { return filled_[buffer] == buffers_[buffer].columns; }

  // The first `columns` of `buffer` now hold a value; what shared its bytes is gone.
  void fill(int32_t buffer, int32_t columns) {
    for (const int32_t other : overlaps_[buffer]) filled_[other] = 0;
    filled_[buffer] = columns;
  }
  void drop(int32_t buffer) { filled_[buffer] = 0; }

  // True when the two share no byte.
  bool apart(int32_t a, int32_t b) const {
    bool apart = a != b;
    for (const int32_t other : overlaps_[a]) apart &= other != b;
    return apart;
  }

 private:
  const std::vector<Program::Buffer>& buffers_;
  std::vector<int32_t> filled_;
  std::vector<std::vector<int32_t>> overlaps_;  // the others that share bytes with each
};

}  // namespace kvasir::tape
