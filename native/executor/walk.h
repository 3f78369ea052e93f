// From the words of a tape to the arguments of each op, in order, for whoever runs them: the same for every device. Pointers
// are those of the device whose Bindings and StepInputs are given.
#pragma once

#include "native/executor/run.h"

namespace kvasir {

// Calls run(op) with a struct of native/ops for every instruction of a step, REPEAT unrolled. The tape was verified when it
// was parsed, so nothing is checked here.
template <typename Run>
class TapeWalk {
 public:
  TapeWalk(const Program& program, const Bindings& bindings, const StepInputs& step, Run run)
      : p_(program), b_(bindings), step_(step), run_(run) {
    const int32_t symbols[tape::kSymbols] = {step.tokens, step.sequences.count, step.rows, 0};
    for (size_t i = 0; i < p_.dims.size(); ++i) dims_[i] = static_cast<int32_t>(p_.dims[i].at(symbols));
  }

  void all() {
    const int32_t* word = p_.code.data();
    const int32_t* const end = word + p_.code.size();
    while (word < end) {
      if (static_cast<tape::Op>(*word) != tape::Op::repeat) {
        word = instruction(word);
        continue;
      }
      const auto repeat = operands_at<tape::Repeat>(word);
      word += 1 + tape::operand_words(*word);
      const int32_t* const body_end = word + repeat.words;
      for (iteration_ = 0; iteration_ < repeat.count; ++iteration_)
        for (const int32_t* at = word; at < body_end;) at = instruction(at);
      iteration_ = 0;
      word = body_end;
    }
  }

 private:
  const int32_t* instruction(const int32_t* word) {
    if constexpr (requires(Run & run) { run.at; }) run_.at = static_cast<size_t>(word - p_.code.data());
    visit(word, [this](const auto& op) { this->call(op); });
    return word + 1 + tape::operand_words(*word);
  }

  Rows rows(int32_t index) const {
    const Program::Buffer& b = p_.buffers[index];
    return {b_.arena + b.offset, b.dtype, dims_[b.dim], b.columns, b.stride};
  }
  const Weight& weight(const tape::WeightRef& ref) const {
    return b_.weights->list[ref.index + iteration_ * ref.stride];
  }
  const float* vector(const tape::WeightRef& ref) const {
    return ref.index < 0 ? nullptr : reinterpret_cast<const float*>(weight(ref).data);
  }
  int32_t layer(const tape::LayerRef& ref) const { return ref.index + iteration_ * ref.stride; }

  void call(const tape::Embed& op) {
    run_(Embed{
        .table = weight(op.table), .tokens = step_.token_ids, .last_sampled = step_.last_sampled, .y = rows(op.y)});
  }
  void call(const tape::RmsNorm& op) {
    run_(RmsNorm{.x = rows(op.x),
                 .w = vector(op.w),
                 .index = op.gather ? step_.row_index : nullptr,
                 .eps = op.eps,
                 .y = rows(op.y)});
  }
  void call(const tape::Quantize& op) { run_(Quantize{.x = rows(op.x), .y = rows(op.y)}); }
  void call(const tape::Linear& op) {
    Linear args;
    args.x = rows(op.x);
    args.y = rows(op.y);
    args.accumulate = op.accumulate != 0;
    args.segments = op.segments;
    int32_t column = op.column;
    for (int i = 0; i < op.segments; ++i) {
      args.segment[i] = {.w = weight(op.segment[i].w), .bias = vector(op.segment[i].bias), .column = column};
      column += args.segment[i].w.rows;
    }
    run_(args);
  }
  void call(const tape::RopeTable& op) {
    run_(RopeTable{.sequences = step_.sequences, .inv_freq = vector(op.inv_freq), .scale = op.scale, .y = rows(op.y)});
  }
  void call(const tape::RopeKv& op) {
    const Rows table = rows(op.table);
    run_(RopeKv{.sequences = step_.sequences,
                .qkv = rows(op.qkv),
                .table = table,
                .heads = op.heads,
                .rotary_dim = table.dim,
                .q_norm = vector(op.q_norm),
                .k_norm = vector(op.k_norm),
                .eps = op.eps,
                .interleaved = op.interleaved != 0,
                .layer = layer(op.layer),
                .kv = b_.kv});
  }
  void call(const tape::Attention& op) {
    run_(Attention{.sequences = step_.sequences,
                   .qkv = rows(op.qkv),
                   .heads = op.heads,
                   .scale = op.scale,
                   .window = op.window,
                   .layer = layer(op.layer),
                   .kv = b_.kv,
                   .y = rows(op.y),
                   .workspace = reinterpret_cast<float*>(b_.attention),
                   .workspace_bytes = b_.attention ? kAttentionWorkspaceBytes : 0});
  }
  void call(const tape::SwiGlu& op) { run_(SwiGlu{.x = rows(op.x), .y = rows(op.y)}); }
  void call(const tape::Add& op) { run_(Add{.x = rows(op.x), .y = rows(op.y)}); }
  void call(const tape::Sample& op) {
    run_(Sample{.logits = rows(op.logits),
                .slot = step_.row_slot,
                .position = step_.row_position,
                .target = step_.row_target,
                .slots = step_.slots,
                .last_sampled = step_.last_sampled,
                .results = step_.results});
  }
  void call(const tape::Pool& op) {
    run_(Pool{.sequences = step_.sequences,
              .slot = step_.seq_slot,
              .x = rows(op.x),
              .mean = op.mean != 0,
              .slots = step_.slots});
  }

  const Program& p_;
  const Bindings& b_;
  const StepInputs& step_;
  Run run_;
  int32_t dims_[tape::kMaxDims];
  int32_t iteration_ = 0;
};

}  // namespace kvasir
