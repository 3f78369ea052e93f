// The weights of a model, in the order of its programs' weight tables.
#pragma once

#include <memory>
#include <vector>

#include "native/ops/rows.h"

namespace kvasir {

struct Weights {
  std::vector<Weight> list;
  std::vector<std::shared_ptr<const void>> keep_alive;  // the mapped files and copies that `list` points into
};

}  // namespace kvasir
