// Words → Program. Every count is checked before it is used to index, in 64 bits.

#include <array>

#include "native/base/check.h"
#include "native/program/program.h"

namespace kvasir {
namespace {

using namespace tape;

class Reader {
 public:
  Reader(const int32_t* words, size_t count) : words_(words), left_(count) {}

  const int32_t* take(int64_t n, const char* what) {
    KV_CHECK(n >= 0 && n <= left_, "KV_NATIVE", "tape: ", what, " need ", n, " words, ", left_, " are left");
    const int32_t* at = words_;
    words_ += n;
    left_ -= n;
    return at;
  }
  int64_t left() const { return left_; }

 private:
  const int32_t* words_;
  int64_t left_;
};

Header read_header(Reader& reader) {
  Header h;
  std::memcpy(&h, reader.take(kHeaderWords, "header"), sizeof h);
  KV_CHECK(h.magic == kMagic, "KV_NATIVE", "tape: the first word is ", h.magic, ", expected ", kMagic);
  KV_CHECK(h.version == kVersion, "KV_NATIVE", "tape: version ", h.version, ", this addon runs version ", kVersion,
           "; rebuild the addon with the package that wrote the tape");
  KV_CHECK(h.dims >= 0 && h.dims <= kMaxDims, "KV_NATIVE", "tape: ", h.dims, " dims, at most ", kMaxDims);
  KV_CHECK(h.buffers >= 0 && h.buffers <= kMaxBuffers, "KV_NATIVE", "tape: ", h.buffers, " buffers, at most ",
           kMaxBuffers);
  KV_CHECK(h.weights >= 0 && h.weights <= kMaxWeights, "KV_NATIVE", "tape: ", h.weights, " weights, at most ",
           kMaxWeights);
  KV_CHECK(h.arena_lines >= 0, "KV_NATIVE", "tape: the arena has ", h.arena_lines, " lines");
  if (h.kv_layers != 0) {
    KV_CHECK(h.kv_layers > 0 && h.kv_layers <= kMaxLayers, "KV_NATIVE", "tape: ", h.kv_layers, " KV layers");
    KV_CHECK(h.kv_heads > 0 && h.kv_heads <= kMaxHeads, "KV_NATIVE", "tape: ", h.kv_heads, " KV heads");
    KV_CHECK(h.kv_head_dim > 0 && h.kv_head_dim <= kMaxHeadDim && h.kv_head_dim % 2 == 0, "KV_NATIVE",
             "tape: head_dim ", h.kv_head_dim, ", expected an even number up to ", kMaxHeadDim);
  }
  return h;
}

Program::Dim read_dim(const int32_t* words, const int32_t* maxima) {
  Program::Dim dim;
  dim.constant = words[0];
  bool negative = words[0] < 0;
  for (int s = 0; s < kSymbols; ++s) {
    dim.factor[s] = words[1 + s];
    negative |= words[1 + s] < 0;
  }
  KV_CHECK(!negative, "KV_NATIVE", "tape: a dim has a negative term");
  const int64_t most = dim.at(maxima);  // ≤ 5 · 2^31 · 2^20
  KV_CHECK(most <= kMaxRows, "KV_NATIVE", "tape: a dim reaches ", most, ", at most ", kMaxRows);
  return dim;
}

Program::Buffer read_buffer(const int32_t* words, const Program& program) {
  const auto dtype = static_cast<Dtype>(words[0]);
  const int32_t dim = words[1];
  const int32_t columns = words[2];
  const int32_t line = words[3];
  KV_CHECK(dtype == Dtype::f32 || dtype == Dtype::act8, "KV_NATIVE", "tape: a buffer has dtype ", words[0]);
  KV_CHECK(dim >= 0 && dim < static_cast<int32_t>(program.dims.size()), "KV_NATIVE", "tape: no dim ", dim);
  KV_CHECK(columns > 0 && columns <= kMaxColumns, "KV_NATIVE", "tape: a buffer has ", columns, " columns");
  KV_CHECK(dtype == Dtype::f32 || columns % kGroup == 0, "KV_NATIVE", "tape: an act8 buffer has ", columns,
           " columns, expected a multiple of ", kGroup);

  const int64_t stride = activation_stride(dtype, columns);
  const int64_t bytes = program.dims[dim].at(program.maxima) * stride;
  KV_CHECK(line >= 0 && line * kLine + bytes <= program.arena_bytes(), "KV_NATIVE", "tape: a buffer ends at byte ",
           line * kLine + bytes, " of an arena of ", program.arena_bytes());
  return {dtype, dim, columns, stride, line * kLine, bytes};
}

Program::WeightShape read_weight(const int32_t* words) {
  const auto [need, rows, columns] = std::array<int32_t, 3>{words[0], words[1], words[2]};
  KV_CHECK(need >= 0 && need <= static_cast<int32_t>(WeightNeed::quantised), "KV_NATIVE", "tape: weight need ", need);
  KV_CHECK(rows > 0 && rows <= kMaxRows && columns > 0 && columns <= kMaxColumns, "KV_NATIVE", "tape: a weight is ",
           rows, " × ", columns);
  return {static_cast<WeightNeed>(need), rows, columns};
}

}  // namespace

std::shared_ptr<const Program> parse_program(const int32_t* words, size_t count) {
  auto program = std::make_shared<Program>();
  Reader reader(words, count);
  const Header h = program->header = read_header(reader);

  const int32_t* maxima = reader.take(kSymbols, "maxima");
  for (int s = 0; s < kSymbols; ++s) {
    KV_CHECK(maxima[s] >= 0 && maxima[s] <= kMaxSymbol, "KV_NATIVE", "tape: symbol ", s, " reaches ", maxima[s],
             ", at most ", kMaxSymbol);
    program->maxima[s] = maxima[s];
  }

  const int32_t* dims = reader.take(int64_t{h.dims} * kDimWords, "dims");
  for (int i = 0; i < h.dims; ++i) program->dims.push_back(read_dim(dims + i * kDimWords, maxima));
  const int32_t* buffers = reader.take(int64_t{h.buffers} * kBufferWords, "buffers");
  for (int i = 0; i < h.buffers; ++i) program->buffers.push_back(read_buffer(buffers + i * kBufferWords, *program));
  const int32_t* weights = reader.take(int64_t{h.weights} * kWeightWords, "weights");
  for (int i = 0; i < h.weights; ++i) program->weights.push_back(read_weight(weights + i * kWeightWords));
  const int32_t* code = reader.take(h.code_words, "instructions");
  KV_CHECK(reader.left() == 0, "KV_NATIVE", "tape: ", reader.left(), " words are left over");
  program->code.assign(code, code + h.code_words);

  verify_program(*program);
  return program;
}

}  // namespace kvasir
