// Runs the tape once without data: every instruction of a step, REPEAT unrolled, with its real weight indices. What
// passes here touches only what it may, whatever the step, as long as the step's symbols stay within the maxima.
//
// It also follows which buffers hold a value: an instruction may read only what was written and not overwritten since
// through another buffer of the same bytes. That catches an arena packed wrongly, and no uninitialised byte is ever
// read.

#include <cmath>
#include <initializer_list>

#include "native/base/check.h"
#include "native/program/contents.h"
#include "native/program/program.h"

namespace kvasir::tape {
namespace {

class Verifier {
 public:
  explicit Verifier(Program& program) : p_(program), contents_(program.buffers) {}

  void run() {
    const int32_t end = static_cast<int32_t>(p_.code.size());
    for (int32_t at = 0; at < end;) {
      const int32_t words = instruction_words(at, end);
      if (p_.code[at] != static_cast<int32_t>(Op::repeat)) {
        ++p_.facts.instructions;
        instruction(at);
        at += words;
        continue;
      }
      const auto repeat = operands_at<Repeat>(&p_.code[at]);
      at += words;
      require(repeat.count > 0 && repeat.count <= kMaxRepeat, at, "REPEAT of ", repeat.count);
      require(repeat.words > 0 && repeat.words <= end - at, at, "REPEAT over ", repeat.words, " words");
      for (iteration_ = 0; iteration_ < repeat.count; ++iteration_) body(at, at + repeat.words);
      iteration_ = 0;
      at += repeat.words;
    }
    require(p_.facts.logits > 0 || p_.facts.pooled > 0, end, "nothing is sampled and nothing pooled");
    require(p_.facts.logits <= p_.facts.vocab, end, "ids are sampled below ", p_.facts.logits, " and embedded below ",
            p_.facts.vocab);
  }

 private:
  template <typename... Parts>
  void require(bool condition, int32_t at, const Parts&... parts) {
    KV_CHECK(condition, "KV_NATIVE", "tape: word ", at, ": ", parts...);
  }

  int32_t instruction_words(int32_t at, int32_t end) {
    const int32_t operands = operand_words(p_.code[at]);
    require(operands >= 0, at, "no op ", p_.code[at]);
    require(operands < end - at, at, "the operands are cut off");
    return 1 + operands;
  }

  void body(int32_t at, int32_t end) {
    while (at < end) {
      const int32_t words = instruction_words(at, end);
      require(p_.code[at] != static_cast<int32_t>(Op::repeat), at, "REPEAT inside REPEAT");
      if (iteration_ == 0) ++p_.facts.instructions;
      instruction(at);
      at += words;
    }
  }

  // --- operands -----------------------------------------------------------------------------------------------------

  const Program::Buffer& buffer(int32_t index) {
    require(index >= 0 && index < static_cast<int32_t>(p_.buffers.size()), at_, "no buffer ", index);
    return p_.buffers[index];
  }

  // A buffer that an instruction reads.
  const Program::Buffer& read(int32_t index) {
    const auto& b = buffer(index);
    require(contents_.full(index), at_, "buffer ", index, " is read, but its value was not written or is gone");
    return b;
  }
  const Program::Buffer& read_f32(int32_t index) {
    const auto& b = read(index);
    require(b.dtype == Dtype::f32, at_, "buffer ", index, " must be f32");
    return b;
  }

  // A buffer that an instruction writes, columns [begin, end) of it, while it reads `inputs`.
  const Program::Buffer& write(int32_t index, int32_t begin, int64_t end, std::initializer_list<int32_t> inputs) {
    const auto& b = buffer(index);
    for (const int32_t input : inputs)
      require(contents_.apart(index, input), at_, "buffer ", index, " is written over buffer ", input,
              ", which is read");
    require(begin >= 0 && (begin == 0 || begin == contents_.filled(index)) && end <= b.columns, at_, "columns ", begin,
            " to ", end, " of buffer ", index, " are written, it has ", b.columns, ", filled up to ",
            contents_.filled(index));
    contents_.fill(index, static_cast<int32_t>(end));
    return b;
  }
  const Program::Buffer& write(int32_t index, std::initializer_list<int32_t> inputs) {
    return write(index, 0, buffer(index).columns, inputs);
  }
  const Program::Buffer& write_f32(int32_t index, std::initializer_list<int32_t> inputs) {
    const auto& b = write(index, inputs);
    require(b.dtype == Dtype::f32, at_, "buffer ", index, " must be f32");
    return b;
  }

  void same_rows(const Program::Buffer& a, const Program::Buffer& b) {
    require(a.dim == b.dim, at_, "rows differ: dim ", a.dim, " and dim ", b.dim);
  }
  void rows_are(const Program::Buffer& b, Symbol symbol) {
    const auto& dim = p_.dims[b.dim];
    bool is = dim.constant == 0;
    for (int s = 0; s < kSymbols; ++s) is &= dim.factor[s] == (s == symbol ? 1 : 0);
    require(is, at_, "the rows must be ", "TSLB"[symbol], " exactly");
  }

  const Program::WeightShape& weight(const WeightRef& ref) {
    const int64_t index = ref.index + int64_t{iteration_} * ref.stride;
    require(index >= 0 && index < static_cast<int64_t>(p_.weights.size()), at_, "no weight ", index);
    return p_.weights[index];
  }
  void vector(const WeightRef& ref, int32_t columns) {
    const auto& w = weight(ref);
    require(w.need == WeightNeed::f32 && w.rows == 1 && w.columns == columns, at_, "a vector of ", columns,
            " f32 is needed, the weight is ", w.rows, " × ", w.columns);
  }
  void optional_vector(const WeightRef& ref, int32_t columns) {
    if (ref.index == -1)
      require(ref.stride == 0, at_, "no weight, but a stride");
    else
      vector(ref, columns);
  }

  void heads(const Program::Buffer& qkv, int32_t heads, const LayerRef& layer) {
    const Header& h = p_.header;
    require(h.kv_layers > 0, at_, "the header declares no KV cache");
    require(heads > 0 && heads <= kMaxHeads && heads % h.kv_heads == 0, at_, heads, " heads over ", h.kv_heads,
            " KV heads");
    const int64_t columns = (heads + 2 * int64_t{h.kv_heads}) * h.kv_head_dim;
    require(qkv.columns == columns, at_, "qkv has ", qkv.columns, " columns, expected ", columns);
    rows_are(qkv, T);
    const int64_t index = layer.index + int64_t{iteration_} * layer.stride;
    require(index >= 0 && index < h.kv_layers, at_, "layer ", index, " of ", h.kv_layers);
  }
  void flag(int32_t value) { require(value == 0 || value == 1, at_, value, " where 0 or 1 is expected"); }
  void positive(float value) { require(std::isfinite(value) && value > 0, at_, "a constant is ", value); }
  void norm_eps(float value) { require(std::isfinite(value) && value >= 0, at_, "eps is ", value); }

  // --- instructions -------------------------------------------------------------------------------------------------

  void instruction(int32_t at) {
    at_ = at;
    require(++p_.facts.executed <= kMaxExecuted, at, "more than ", kMaxExecuted, " instructions in a step");
    visit(&p_.code[at], [this](const auto& op) { check(op); });
  }

  void check(const Embed& op) {
    const auto& table = weight(op.table);
    const auto& y = write_f32(op.y, {});
    rows_are(y, T);
    require(table.columns == y.columns, at_, "the table has ", table.columns, " columns, y ", y.columns);
    if (p_.facts.vocab == 0 || table.rows < p_.facts.vocab) p_.facts.vocab = table.rows;
  }

  void check(const RmsNorm& op) {
    flag(op.gather);
    norm_eps(op.eps);
    const auto& x = read_f32(op.x);
    const auto& y = write(op.y, {op.x});
    require(x.columns == y.columns, at_, "x has ", x.columns, " columns, y ", y.columns);
    vector(op.w, x.columns);
    if (op.gather) {
      rows_are(x, T);
      rows_are(y, L);
    } else {
      same_rows(x, y);
    }
  }

  void check(const Quantize& op) {
    const auto& x = read_f32(op.x);
    const auto& y = write(op.y, {op.x});
    require(y.dtype == Dtype::act8 && x.columns == y.columns, at_, "y must be x in act8");
    same_rows(x, y);
  }

  void check(const Linear& op) {
    flag(op.accumulate);
    require(op.segments >= 1 && op.segments <= kMaxSegments, at_, op.segments, " segments");
    const auto& x = read(op.x);
    const auto need = x.dtype == Dtype::act8 ? WeightNeed::quantised : WeightNeed::floats;
    int64_t end = op.column;
    for (int i = 0; i < op.segments; ++i) {
      const auto& w = weight(op.segment[i].w);
      const bool fits = w.need == need || (need == WeightNeed::floats && w.need == WeightNeed::f32);
      require(fits, at_, "weights need the other kind of activations");
      require(w.columns == x.columns, at_, "x has ", x.columns, " columns, the weights ", w.columns);
      optional_vector(op.segment[i].bias, w.rows);
      end += w.rows;
    }
    if (op.accumulate) read_f32(op.y);
    const auto& y = op.accumulate ? buffer(op.y) : write(op.y, op.column, end, {op.x});
    if (op.accumulate) {
      require(op.column == 0 && end == y.columns, at_, "what is added must have the width of y");
      write_f32(op.y, {op.x});
    }
    require(y.dtype == Dtype::f32, at_, "y must be f32");
    same_rows(x, y);
  }

  // As linear and swiglu, but all at once, and a device may keep `both` to itself.
  void check(const GatedLinear& op) {
    check(Linear{op.x, op.both, 0, 0, 2, {op.segment[0], op.segment[1]}});
    check(SwiGlu{op.both, op.y});
    const int32_t columns = buffer(op.y).columns, rows = weight(op.segment[0].w).rows;
    require(rows == columns, at_, "gate has ", rows, " rows, y ", columns, " columns");
    require(contents_.apart(op.x, op.y), at_, "buffer ", op.y, " is written over buffer ", op.x, ", which is read");
    contents_.drop(op.both);
  }

  void check(const RopeTable& op) {
    positive(op.scale);
    const auto& y = write_f32(op.y, {});
    rows_are(y, T);
    require(y.columns % 2 == 0, at_, "the table has ", y.columns, " columns");
    vector(op.inv_freq, y.columns / 2);
  }

  void check(const RopeKv& op) {
    flag(op.interleaved);
    norm_eps(op.eps);
    const auto& qkv = read_f32(op.qkv);
    heads(qkv, op.heads, op.layer);
    const auto& table = read_f32(op.table);
    rows_are(table, T);
    require(table.columns % 2 == 0 && table.columns <= p_.header.kv_head_dim, at_, "rotary_dim ", table.columns);
    require((op.q_norm.index == -1) == (op.k_norm.index == -1), at_, "q_norm and k_norm go together");
    optional_vector(op.q_norm, p_.header.kv_head_dim);
    optional_vector(op.k_norm, p_.header.kv_head_dim);
    write_f32(op.qkv, {op.table});
  }

  void check(const Attention& op) {
    positive(op.scale);
    require(op.window >= 0, at_, "window ", op.window);
    const auto& qkv = read_f32(op.qkv);
    heads(qkv, op.heads, op.layer);
    const auto& y = write(op.y, {op.qkv});
    same_rows(qkv, y);
    require(y.columns == op.heads * p_.header.kv_head_dim, at_, "y has ", y.columns, " columns");
    require(y.dtype == Dtype::f32 || p_.header.kv_head_dim % kGroup == 0, at_, "act8 from heads of ",
            p_.header.kv_head_dim);
  }

  void check(const SwiGlu& op) {
    const auto& x = read_f32(op.x);
    const auto& y = write(op.y, {op.x});
    same_rows(x, y);
    require(x.columns == 2 * int64_t{y.columns}, at_, "x has ", x.columns, " columns, y ", y.columns);
  }

  void check(const Add& op) {
    const auto& x = read_f32(op.x);
    read_f32(op.y);
    const auto& y = write(op.y, {op.x});
    same_rows(x, y);
    require(x.columns == y.columns, at_, "x has ", x.columns, " columns, y ", y.columns);
  }

  void check(const Sample& op) {
    const auto& logits = read_f32(op.logits);
    rows_are(logits, L);
    require(p_.facts.logits == 0, at_, "a second sample");
    p_.facts.logits = logits.columns;
    contents_.drop(op.logits);  // the sampler may overwrite them
  }

  void check(const Pool& op) {
    flag(op.mean);
    const auto& x = read_f32(op.x);
    rows_are(x, T);
    require(p_.facts.pooled == 0, at_, "a second pool");
    p_.facts.pooled = x.columns;
  }

  Program& p_;
  Contents contents_;
  int32_t iteration_ = 0;
  int32_t at_ = 0;
};

}  // namespace
}  // namespace kvasir::tape

namespace kvasir {

void verify_program(Program& program) { tape::Verifier(program).run(); }

}  // namespace kvasir
