// Bank conflicts and sectors. Shared memory serves 32 banks of 4 bytes a pass; wider accesses go by half or quarter warps.
#include "native/simt/lint.h"

#include <algorithm>

namespace kvasir::simt {
namespace {

constexpr size_t kBanks = 32, kWord = 4, kSector = 32;

// Passes over the banks beyond the first, for lanes that are served together.
uint64_t conflicts(const std::vector<std::pair<int, size_t>>& offsets, int first, int end, size_t bytes) {
  std::vector<size_t> words[kBanks];
  size_t most = 1;
  for (const auto& [lane, offset] : offsets)
    for (size_t word = offset / kWord; lane >= first && lane < end && word <= (offset + bytes - 1) / kWord; ++word) {
      auto& bank = words[word % kBanks];
      if (std::find(bank.begin(), bank.end(), word) == bank.end()) bank.push_back(word);
      most = std::max(most, bank.size());
    }
  return most - 1;
}

}  // namespace

void Lint::note(const Thread& thread, const void* site, size_t offset, size_t bytes, const std::string* buffer,
                bool writes) {
  Site& at = sites_[{thread.id >> 5, site}];
  const int lane = thread.id & 31;
  const uint32_t index = at.executed[lane]++;
  if (index >= at.requests.size()) at.requests.resize(index + 1);
  Request& request = at.requests[index];
  request.bytes = bytes;
  request.buffer = buffer;
  request.writes = writes;
  request.offsets.emplace_back(lane, offset);
}

void Lint::count(Request& request) {
  if (request.offsets.empty()) return;
  const size_t lanes = request.offsets.size(), bytes = request.bytes;
  if (!request.buffer) {
    ++counters_.shared_requests;
    const int together = bytes <= kWord ? 32 : static_cast<int>(32 * kWord / bytes);
    for (int lane = 0; lane < 32; lane += together)
      counters_.bank_conflicts += conflicts(request.offsets, lane, lane + together, bytes);
    return;
  }
  ++counters_.global_requests;
  (request.writes ? counters_.global_written : counters_.global_read) += lanes * bytes;
  std::vector<size_t> sectors;
  for (const auto& [lane, offset] : request.offsets)
    for (size_t s = offset / kSector; s <= (offset + bytes - 1) / kSector; ++s) sectors.push_back(s);
  std::sort(sectors.begin(), sectors.end());
  const auto count = static_cast<uint64_t>(std::unique(sectors.begin(), sectors.end()) - sectors.begin());
  counters_.global_sectors += count;
  Traffic& traffic = counters_.buffers[*request.buffer];
  (request.writes ? traffic.sectors_written : traffic.sectors_read) += count;
}

void Lint::end_block() {
  for (auto& [key, site] : sites_)
    for (Request& request : site.requests) count(request);
  sites_.clear();
}

}  // namespace kvasir::simt
