#include "native/executor/weight_stream.h"

#include <algorithm>
#include <numeric>

#include "native/base/system.h"

namespace kvasir {
namespace {

constexpr int64_t kSmall = int64_t{1} << 20;  // bytes that are not worth a call of the system

int64_t bytes_of(const Weight& weight) { return weight.rows * weight.row_bytes; }

}  // namespace

WeightStream::WeightStream(const Weights& weights, int64_t room) {
  int64_t all = 0;
  for (const Weight& weight : weights.list) all += bytes_of(weight);
  if (all <= room) return;
  const double share = 1 - static_cast<double>(room) / static_cast<double>(all);
  double owed = 0;  // bytes that should have streamed so far
  std::vector<Part> order;
  for (const Weight& weight : weights.list) {
    const int64_t bytes = bytes_of(weight);
    owed += share * static_cast<double>(bytes);
    if (bytes < kSmall || owed < static_cast<double>(bytes) / 2) continue;
    owed -= static_cast<double>(bytes);
    order.push_back({weight.data, static_cast<size_t>(bytes), 0});
  }
  std::vector<size_t> by_address(order.size());
  std::iota(by_address.begin(), by_address.end(), size_t{0});
  std::sort(by_address.begin(), by_address.end(), [&](size_t a, size_t b) { return order[a].data < order[b].data; });
  std::vector<size_t> place(order.size());
  for (size_t i = 0; i < order.size(); ++i) place[by_address[i]] = i;
  for (const size_t i : by_address) {
    parts_.push_back(order[i]);
    parts_.back().next = place[(i + 1) % order.size()];
  }
}

void WeightStream::passed(const Weight& weight) const {
  const auto part = std::lower_bound(parts_.begin(), parts_.end(), weight.data,
                                     [](const Part& one, const uint8_t* data) { return one.data < data; });
  if (part == parts_.end() || part->data != weight.data) return;
  drop_file_pages(part->data, part->bytes);
  const Part& next = parts_[part->next];
  expect_file_pages(next.data, next.bytes);
}

}  // namespace kvasir
