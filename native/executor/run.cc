// The interpreter: operands of the tape → Args of a kernel → the kernel, with a barrier after each. The tape was
// verified when it was parsed, so nothing is checked here. To bind an instruction costs far less than the barrier
// after it, and so each thread does it for itself and nothing is bound ahead.

#include "native/executor/run.h"

namespace kvasir {
namespace {

class Runner {
 public:
  Runner(const Program& program, const Bindings& bindings, const StepInputs& step, const Worker& worker)
      : p_(program), b_(bindings), step_(step), worker_(worker) {
    const int32_t symbols[tape::kSymbols] = {step.tokens, step.sequences.count, step.rows, 0};
    for (size_t i = 0; i < p_.dims.size(); ++i) dims_[i] = static_cast<int32_t>(p_.dims[i].at(symbols));
  }

  void run() {
    if (b_.profile) b_.profile->begin(worker_.index);
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
    const size_t at = static_cast<size_t>(word - p_.code.data());
    visit(word, [this](const auto& op) { call(op); });
    if (b_.profile) b_.profile->computed(worker_.index, at);
    worker_.sync();
    if (b_.profile) b_.profile->met(worker_.index, at);
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

  void call(const tape::Embed& op) const {
    b_.kernels->embed(
        {.table = weight(op.table), .tokens = step_.token_ids, .last_sampled = step_.last_sampled, .y = rows(op.y)},
        worker_);
  }
  void call(const tape::RmsNorm& op) const {
    b_.kernels->rms_norm({.x = rows(op.x),
                          .w = vector(op.w),
                          .index = op.gather ? step_.row_index : nullptr,
                          .eps = op.eps,
                          .y = rows(op.y)},
                         worker_);
  }
  void call(const tape::Quantize& op) const { b_.kernels->quantize({.x = rows(op.x), .y = rows(op.y)}, worker_); }
  void call(const tape::Linear& op) const {
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
    b_.kernels->linear(args, worker_);
  }
  void call(const tape::RopeTable& op) const {
    b_.kernels->rope_table(
        {.sequences = step_.sequences, .inv_freq = vector(op.inv_freq), .scale = op.scale, .y = rows(op.y)}, worker_);
  }
  void call(const tape::RopeKv& op) const {
    const Rows table = rows(op.table);
    b_.kernels->rope_kv({.sequences = step_.sequences,
                         .qkv = rows(op.qkv),
                         .table = table,
                         .heads = op.heads,
                         .rotary_dim = table.dim,
                         .q_norm = vector(op.q_norm),
                         .k_norm = vector(op.k_norm),
                         .eps = op.eps,
                         .interleaved = op.interleaved != 0,
                         .layer = layer(op.layer),
                         .kv = b_.kv},
                        worker_);
  }
  void call(const tape::Attention& op) const {
    b_.kernels->attention({.sequences = step_.sequences,
                           .qkv = rows(op.qkv),
                           .heads = op.heads,
                           .scale = op.scale,
                           .window = op.window,
                           .layer = layer(op.layer),
                           .kv = b_.kv,
                           .y = rows(op.y),
                           .workspace = reinterpret_cast<float*>(b_.attention),
                           .workspace_bytes = b_.attention ? kAttentionWorkspaceBytes : 0},
                          worker_);
  }
  void call(const tape::SwiGlu& op) const { b_.kernels->swiglu({.x = rows(op.x), .y = rows(op.y)}, worker_); }
  void call(const tape::Add& op) const { b_.kernels->add({.x = rows(op.x), .y = rows(op.y)}, worker_); }
  void call(const tape::Sample& op) const {
    b_.kernels->sample({.logits = rows(op.logits),
                        .slot = step_.row_slot,
                        .position = step_.row_position,
                        .target = step_.row_target,
                        .slots = step_.slots,
                        .last_sampled = step_.last_sampled,
                        .results = step_.results},
                       worker_);
  }
  void call(const tape::Pool& op) const {
    b_.kernels->pool({.sequences = step_.sequences,
                      .slot = step_.seq_slot,
                      .x = rows(op.x),
                      .mean = op.mean != 0,
                      .slots = step_.slots},
                     worker_);
  }

  const Program& p_;
  const Bindings& b_;
  const StepInputs& step_;
  const Worker& worker_;
  int32_t dims_[tape::kMaxDims];
  int32_t iteration_ = 0;
};

}  // namespace

void run_tape(const Program& program, const Bindings& bindings, const StepInputs& step, const Worker& worker) {
  Runner(program, bindings, step, worker).run();
}

}  // namespace kvasir
