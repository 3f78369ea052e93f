#include "native/executor/cuda/weights.h"

#include <algorithm>
#include <cstring>

#include "native/base/thread_team.h"
#include "native/cuda/pack.h"

namespace kvasir::cuda {
namespace {

constexpr int64_t kAlignment = 256;
constexpr int64_t kChunkBytes = 16 << 20;

// What is copied of a weight: panels of a matrix, or the one row of a vector.
struct Piece {
  const Weight* weight;
  int64_t panel_bytes, panels, at;  // at: offset in the card's block
  bool is_vector;
};

Piece piece_of(const Weight& weight, tape::WeightNeed need, int64_t at) {
  if (need == tape::WeightNeed::f32) return {&weight, weight.row_bytes, 1, at, true};
  return {&weight, panel_bytes(weight.dtype, weight.cols), panels_of(weight.rows), at, false};
}

// Two pinned chunks: one is filled while the other is copied.
class Uploader {
 public:
  Uploader(const driver::ContextPtr& context, int64_t chunk_bytes, int threads)
      : stream_(context),
        chunks_{{driver::PinnedMemory(context, chunk_bytes), driver::Event(context)},
                {driver::PinnedMemory(context, chunk_bytes), driver::Event(context)}},
        team_(threads, false) {}
  // What was queued reads the chunks: it ends before they do.
  ~Uploader() {
    try {
      stream_.wait();
    } catch (const Error&) {
      // Reported by finish(), or by the call that failed before it.
    }
  }

  void copy(const Piece& piece, int64_t first, int64_t end, uint8_t* to) {
    Chunk& chunk = chunks_[next_];
    next_ ^= 1;
    if (chunk.used) chunk.copied.wait();
    if (piece.is_vector) {
      std::memcpy(chunk.memory.data(), piece.weight->data, piece.panel_bytes);
    } else {
      team_.run([&](const Worker& worker) {
        const Range mine = worker.share(end - first);
        if (mine.begin < mine.end)
          pack_panels(*piece.weight, first + mine.begin, first + mine.end,
                      chunk.memory.data() + mine.begin * piece.panel_bytes);
      });
    }
    stream_.copy_in(to, chunk.memory.data(), (end - first) * piece.panel_bytes);
    stream_.record(chunk.copied);
    chunk.used = true;
  }

  void finish() { stream_.wait(); }

 private:
  struct Chunk {
    driver::PinnedMemory memory;
    driver::Event copied;
    bool used = false;
  };
  driver::Stream stream_;
  Chunk chunks_[2];
  int next_ = 0;
  ThreadTeam team_;
};

}  // namespace

CardWeights::CardWeights(const driver::ContextPtr& context, const Weights& weights, const Program& program, int threads,
                         const std::function<void(UploadProgress)>& progress) {
  std::vector<Piece> pieces;
  int64_t bytes = 0, widest = 0;
  for (size_t i = 0; i < weights.list.size(); ++i) {
    pieces.push_back(piece_of(weights.list[i], program.weights[i].need, bytes));
    const Piece& piece = pieces.back();
    bytes += (piece.panels * piece.panel_bytes + kAlignment - 1) / kAlignment * kAlignment;
    widest = std::max(widest, piece.panel_bytes);
  }
  memory_ = driver::DeviceMemory(context, bytes);
  Uploader uploader(context, std::max(widest, std::min(kChunkBytes, bytes)), threads);
  int64_t done = 0;
  for (const Piece& piece : pieces) {
    const int64_t at_once = std::max<int64_t>(1, kChunkBytes / piece.panel_bytes);
    for (int64_t first = 0; first < piece.panels; first += at_once) {
      const int64_t end = std::min(piece.panels, first + at_once);
      uploader.copy(piece, first, end, memory_.data() + piece.at + first * piece.panel_bytes);
      done += (end - first) * piece.panel_bytes;
      if (progress && piece.panels > 1) progress({done, bytes});
    }
    Weight weight = *piece.weight;
    weight.data = memory_.data() + piece.at;
    weights_.list.push_back(weight);
  }
  uploader.finish();
  if (progress) progress({bytes, bytes});
}

}  // namespace kvasir::cuda
