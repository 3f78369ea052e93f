// The interpreter: operands of the tape → Args of a kernel → the kernel, with a barrier after each. The tape was
// verified when it was parsed, so nothing is checked here. An instruction costs some tens of nanoseconds to bind, on
// each thread for itself, which is why nothing is bound ahead.

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
    switch (static_cast<tape::Op>(*word)) {
      case tape::Op::embed:
        b_.kernels->embed(bind(operands_at<tape::Embed>(word)), worker_);
        break;
      case tape::Op::rms_norm:
        b_.kernels->rms_norm(bind(operands_at<tape::RmsNorm>(word)), worker_);
        break;
      case tape::Op::quantize:
        b_.kernels->quantize(bind(operands_at<tape::Quantize>(word)), worker_);
        break;
      case tape::Op::linear:
        b_.kernels->linear(bind(operands_at<tape::Linear>(word)), worker_);
        break;
      case tape::Op::rope_table:
        b_.kernels->rope_table(bind(operands_at<tape::RopeTable>(word)), worker_);
        break;
      case tape::Op::rope_kv:
        b_.kernels->rope_kv(bind(operands_at<tape::RopeKv>(word)), worker_);
        break;
      case tape::Op::attention:
        b_.kernels->attention(bind(operands_at<tape::Attention>(word)), worker_);
        break;
      case tape::Op::swiglu:
        b_.kernels->swiglu(bind(operands_at<tape::SwiGlu>(word)), worker_);
        break;
      case tape::Op::add:
        b_.kernels->add(bind(operands_at<tape::Add>(word)), worker_);
        break;
      case tape::Op::sample:
        b_.kernels->sample(bind(operands_at<tape::Sample>(word)), worker_);
        break;
      case tape::Op::pool:
        b_.kernels->pool(bind(operands_at<tape::Pool>(word)), worker_);
        break;
      case tape::Op::repeat:
        break;  // run() has it
    }
    worker_.sync();
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

  Embed bind(const tape::Embed& op) const {
    return {.table = weight(op.table), .tokens = step_.token_ids, .last_sampled = step_.last_sampled, .y = rows(op.y)};
  }
  RmsNorm bind(const tape::RmsNorm& op) const {
    return {.x = rows(op.x),
            .w = vector(op.w),
            .index = op.gather ? step_.row_index : nullptr,
            .eps = op.eps,
            .y = rows(op.y)};
  }
  Quantize bind(const tape::Quantize& op) const { return {.x = rows(op.x), .y = rows(op.y)}; }
  Linear bind(const tape::Linear& op) const {
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
    return args;
  }
  RopeTable bind(const tape::RopeTable& op) const {
    return {.sequences = step_.sequences, .inv_freq = vector(op.inv_freq), .scale = op.scale, .y = rows(op.y)};
  }
  RopeKv bind(const tape::RopeKv& op) const {
    const Rows table = rows(op.table);
    return {.sequences = step_.sequences,
            .qkv = rows(op.qkv),
            .table = table,
            .heads = op.heads,
            .rotary_dim = table.dim,
            .q_norm = vector(op.q_norm),
            .k_norm = vector(op.k_norm),
            .eps = op.eps,
            .interleaved = op.interleaved != 0,
            .layer = layer(op.layer),
            .kv = b_.kv};
  }
  Attention bind(const tape::Attention& op) const {
    return {.sequences = step_.sequences,
            .qkv = rows(op.qkv),
            .heads = op.heads,
            .scale = op.scale,
            .window = op.window,
            .layer = layer(op.layer),
            .kv = b_.kv,
            .y = rows(op.y)};
  }
  SwiGlu bind(const tape::SwiGlu& op) const { return {.x = rows(op.x), .y = rows(op.y)}; }
  Add bind(const tape::Add& op) const { return {.x = rows(op.x), .y = rows(op.y)}; }
  Sample bind(const tape::Sample& op) const {
    return {.logits = rows(op.logits),
            .slot = step_.row_slot,
            .position = step_.row_position,
            .target = step_.row_target,
            .slots = step_.slots,
            .last_sampled = step_.last_sampled,
            .results = step_.results};
  }
  Pool bind(const tape::Pool& op) const {
    return {.sequences = step_.sequences,
            .slot = step_.seq_slot,
            .x = rows(op.x),
            .mean = op.mean != 0,
            .slots = step_.slots};
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
