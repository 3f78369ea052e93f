// Runs a program for one step, on every thread of the device at once.
#pragma once

#include <cstdint>

#include "native/cpu/table.h"
#include "native/executor/profile.h"
#include "native/executor/weight_stream.h"
#include "native/program/program.h"

namespace kvasir {

// The values of a step, already checked (native/executor/step.cc). Lengths in brackets; none may pass the maxima of the
// program, and what they index must exist:
//   token_ids < limits().vocab (or −1 − slot), row_index < T, row_target < limits().vocab, slots, pages.
struct StepInputs {
  int32_t tokens = 0;                     // T
  int32_t rows = 0;                       // L
  const int32_t* token_ids = nullptr;     // [T]
  StepSequences sequences;                // S, B
  const int32_t* seq_slot = nullptr;      // [S]
  const int32_t* row_index = nullptr;     // [L]
  const int32_t* row_slot = nullptr;      // [L]
  const int32_t* row_position = nullptr;  // [L]
  const int32_t* row_target = nullptr;    // [L]
  SequenceSlot* slots = nullptr;
  int32_t* last_sampled = nullptr;  // [slots]
  SampleResult* results = nullptr;  // [L]
};

// What a program runs on; fits it as check_bindings() demands.
struct Bindings {
  const Weights* weights = nullptr;
  KvCache kv;
  uint8_t* arena = nullptr;                   // program.arena_bytes, 64-byte aligned
  uint8_t* attention = nullptr;               // kAttentionWorkspaceBytes, 64-byte aligned, or null
  const cpu::KernelTable* kernels = nullptr;  // of the processor; a card has its own
  const WeightStream* stream = nullptr;       // of weights that do not fit in memory, on the processor, or null
  Profile* profile = nullptr;                 // of this program on the processor, or null
};

// Called by all threads of the device with the same arguments but the worker. Does not allocate.
void run_tape(const Program& program, const Bindings& bindings, const StepInputs& step, const Worker& worker);

}  // namespace kvasir
