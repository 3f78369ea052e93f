// A parsed and verified tape. Immutable, and shared by the threads that run it.
//
// parse_program() throws KV_NATIVE on anything that could make a run touch memory outside the arena, the bound weights,
// the KV cache or the step's own arrays. What it cannot know are the values of a step (ids, positions, pages):
// parse_step in native/executor checks them against the limits found here.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "native/executor/step.h"
#include "native/ops/kv_cache.h"
#include "native/ops/rows.h"
#include "native/program/format.h"

namespace kvasir {

struct Program {
  struct Dim {
    int64_t constant;
    int64_t factor[tape::kSymbols];
    int64_t at(const int32_t symbols[tape::kSymbols]) const {
      int64_t value = constant;
      for (int s = 0; s < tape::kSymbols; ++s) value += factor[s] * symbols[s];
      return value;
    }
  };
  struct Buffer {
    Dtype dtype;
    int32_t dim;
    int32_t columns;
    int64_t stride;  // bytes of a row
    int64_t offset;  // bytes, in the arena
    int64_t bytes;   // at the maxima
  };
  struct WeightShape {
    tape::WeightNeed need;
    int32_t rows, columns;
  };

  // What the verifier finds.
  struct Facts {
    int32_t instructions = 0;  // on the tape, REPEAT not counted
    int32_t executed = 0;      // in a step
    int32_t vocab = 0;         // rows of the smallest embedding table
    int32_t logits = 0;        // columns of what is sampled from, ≤ vocab; 0: the program samples nothing
    int32_t pooled = 0;        // columns of what is pooled; 0: it pools nothing
  };

  tape::Header header;
  int32_t maxima[tape::kSymbols];
  std::vector<Dim> dims;
  std::vector<Buffer> buffers;
  std::vector<WeightShape> weights;
  std::vector<int32_t> code;
  Facts facts;

  int32_t instructions() const { return facts.instructions; }
  int64_t arena_bytes() const { return header.arena_lines * tape::kLine; }
  bool pools() const { return facts.pooled > 0; }

  // The largest step that this program may run; slots and pages are the executor's to fill in.
  StepLimits limits() const {
    return {.tokens = maxima[tape::T],
            .sequences = maxima[tape::S],
            .rows = maxima[tape::L],
            .blocks = maxima[tape::B],
            .slots = 0,
            .pages = 0,
            .vocab = facts.logits > 0 ? facts.logits : facts.vocab};
  }
};

// The weights of a model, in the order of its tapes, with what keeps them in memory.
struct Weights {
  std::vector<Weight> list;
  std::vector<std::shared_ptr<const void>> keep_alive;
};

std::shared_ptr<const Program> parse_program(const int32_t* words, size_t count);

// Throws KV_NATIVE unless code, buffers and weights fit together; fills in the facts. Called by parse_program.
void verify_program(Program& program);

// Throws KV_NATIVE unless every weight has the format and shape that the program needs and the cache fits.
void check_bindings(const Program& program, const Weights& weights, const KvCache& kv);

// Throws KV_NATIVE when an id that one program samples could not be embedded by another: they share the slots.
void check_together(const std::vector<std::shared_ptr<const Program>>& programs);

// The operands of the instruction at `word`.
template <typename Operands>
Operands operands_at(const int32_t* word) {
  Operands operands;
  std::memcpy(&operands, word + 1, sizeof operands);
  return operands;
}

// Calls `handle` with the operands of the instruction at `word`, in their own type. REPEAT is for loops to see to.
template <typename Handle>
void visit(const int32_t* word, Handle handle) {
  switch (static_cast<tape::Op>(*word)) {
    case tape::Op::embed:
      return handle(operands_at<tape::Embed>(word));
    case tape::Op::rms_norm:
      return handle(operands_at<tape::RmsNorm>(word));
    case tape::Op::quantize:
      return handle(operands_at<tape::Quantize>(word));
    case tape::Op::linear:
      return handle(operands_at<tape::Linear>(word));
    case tape::Op::gated_linear:
      return handle(operands_at<tape::GatedLinear>(word));
    case tape::Op::rope_table:
      return handle(operands_at<tape::RopeTable>(word));
    case tape::Op::rope_kv:
      return handle(operands_at<tape::RopeKv>(word));
    case tape::Op::attention:
      return handle(operands_at<tape::Attention>(word));
    case tape::Op::swiglu:
      return handle(operands_at<tape::SwiGlu>(word));
    case tape::Op::add:
      return handle(operands_at<tape::Add>(word));
    case tape::Op::sample:
      return handle(operands_at<tape::Sample>(word));
    case tape::Op::pool:
      return handle(operands_at<tape::Pool>(word));
    case tape::Op::repeat:
      return;
  }
}

}  // namespace kvasir
