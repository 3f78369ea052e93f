// embed, rms_norm, quantize, swiglu, add and the copy of pages against the processor's.
#include "native/base/check.h"
#include "test/simt/harness.h"

namespace kvasir::simt_test {
namespace {

struct Case {
  Card card;
  Random random;
  Case(uint64_t seed) : card(seed), random(static_cast<unsigned>(seed)) {}
};

std::vector<float> floats(int n, Random& random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  return values;
}

void run_rms_norm(int rows, int dim, Dtype dtype, bool gathers, uint64_t seed) {
  Case c(seed);
  const Buffer x = test::random_activations(Dtype::f32, rows + 2, dim, c.random);
  const std::vector<float> w = floats(dim, c.random);
  std::vector<int32_t> index;
  for (int i = 0; i < rows; ++i) index.push_back((i * 7 + 1) % (rows + 2));
  const Buffer found = rows_buffer(dtype, rows, dim), expected = rows_buffer(dtype, rows, dim);
  c.card.has(x, 4, "x");
  c.card.has(w, "w");
  c.card.has(index, "index");
  c.card.has(found, 1, "y", false);
  RmsNorm op{rows_in(x, Dtype::f32, rows + 2, dim), w.data(), gathers ? index.data() : nullptr, 1e-5f,
             rows_in(found, dtype, rows, dim)};
  c.card.run(op);
  RmsNorm same = op;
  same.y = rows_in(expected, dtype, rows, dim);
  run_on_cpu(&cpu::KernelTable::rms_norm, same);
  print(text("rms_norm ", name_of(dtype), " ", rows, "x", dim), c.card, differences(op.y, same.y));
}

template <typename Op>
void run_binary(const char* name, void (*cpu::KernelTable::*kernel)(const Op&, const Worker&), int rows, int in_dim,
                int dim, Dtype dtype, bool updates, uint64_t seed) {
  Case c(seed);
  const Buffer x = test::random_activations(Dtype::f32, rows, in_dim, c.random);
  const Buffer found = rows_buffer(dtype, rows, dim), expected = rows_buffer(dtype, rows, dim);
  if (updates)
    for (int row = 0; row < rows; ++row)
      for (int i = 0; i < dim; ++i)
        rows_in(found, dtype, rows, dim).f32(row)[i] = rows_in(expected, dtype, rows, dim).f32(row)[i] =
            static_cast<float>(row - i);
  // A group of zeros, one with an infinity and one with a NaN.
  const Rows in = rows_in(x, Dtype::f32, rows, in_dim);
  for (int i = 0; i < 32 && i < in_dim; ++i) in.f32(0)[i] = 0;
  if (in_dim > 64 && !updates) in.f32(0)[40] = INFINITY;
  if (in_dim > 96 && !updates) in.f32(0)[70] = NAN;
  c.card.has(x, 4, "x");
  c.card.has(found, 1, "y", updates);
  Op op{in, rows_in(found, dtype, rows, dim)};
  c.card.run(op);
  Op same = op;
  same.y = rows_in(expected, dtype, rows, dim);
  run_on_cpu(kernel, same);
  print(text(name, " ", name_of(dtype), " ", rows, "x", dim), c.card, differences(op.y, same.y));
}

void run_embed(Dtype dtype, int dim, uint64_t seed) {
  Case c(seed);
  const PackedWeight table(dtype, 37, dim, c.random);
  const std::vector<int32_t> tokens = {0, 36, -2, 17, -1, -3}, last_sampled = {5, 33, -1};
  const int rows = static_cast<int>(tokens.size());
  const Buffer found = rows_buffer(Dtype::f32, rows, dim), expected = rows_buffer(Dtype::f32, rows, dim);
  c.card.has(table.packed, 1, "table");
  c.card.has(tokens, "tokens");
  c.card.has(last_sampled, "last_sampled");
  c.card.has(found, 4, "y", false);
  Embed op{table.device(), tokens.data(), last_sampled.data(), rows_in(found, Dtype::f32, rows, dim)};
  c.card.run(op);
  Embed same{table.host(), tokens.data(), last_sampled.data(), rows_in(expected, Dtype::f32, rows, dim)};
  run_on_cpu(&cpu::KernelTable::embed, same);
  print(text("embed ", name_of(dtype), " ", dim), c.card, differences(op.y, same.y));
}

void run_copy_pages(uint64_t seed) {
  Case c(seed);
  constexpr int64_t kPage = 32 * 72;
  Buffer pages(6 * kPage);
  for (size_t i = 0; i < pages.size; ++i) pages.get()[i] = static_cast<uint8_t>(c.random());
  Buffer expected(pages.size);
  std::memcpy(expected.get(), pages.get(), pages.size);
  const std::vector<int32_t> pairs = {0, 3, 5, 1};
  for (size_t i = 0; i < pairs.size(); i += 2)
    std::memcpy(expected.get() + pairs[i + 1] * kPage, pages.get() + pairs[i] * kPage, kPage);
  c.card.has(pages, 1, "pages");
  c.card.has(pairs, "pairs");
  c.card.run(cuda::CopyPages{pages.get(), kPage, pairs.data(), 2});
  print("copy_pages", c.card, differences(pages.get(), expected.get(), static_cast<int64_t>(pages.size)));
}

}  // namespace

void run_rowwise(uint64_t seed) {
  for (const test::Format& format : test::kFormats) {
    run_embed(format.dtype, 256, seed);
    if (!kCheck) run_embed(format.dtype, is_quantised(format.dtype) ? 768 : 100, seed);
    if (block_of(format.dtype).values == 32) run_embed(format.dtype, 96, seed);
  }
  for (const int dim : few_shapes ? std::vector{32, 576} : std::vector{32, 96, 576, 1536, 4096}) {
    for (const Dtype dtype : {Dtype::f32, Dtype::act8}) {
      run_rms_norm(3, dim, dtype, dim == 576, seed);
      run_binary("swiglu", &cpu::KernelTable::swiglu, 2, dim * 2, dim, dtype, false, seed);
    }
    run_binary("quantize", &cpu::KernelTable::quantize, 3, dim, dim, Dtype::act8, false, seed);
    run_binary("add", &cpu::KernelTable::add, 3, dim, dim, Dtype::f32, true, seed);
  }
  for (const int dim : {1, 15, 100}) {
    run_rms_norm(2, dim, Dtype::f32, false, seed);
    run_binary("swiglu", &cpu::KernelTable::swiglu, 2, dim * 2, dim, Dtype::f32, false, seed);
    run_binary("add", &cpu::KernelTable::add, 2, dim, dim, Dtype::f32, true, seed);
  }
  run_copy_pages(seed);
}

}  // namespace kvasir::simt_test
