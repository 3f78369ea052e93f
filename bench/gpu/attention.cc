// attention over pages, 32 heads over 8 of 128: decoding by many and by few, and a prompt.
#include <algorithm>

#include "bench/gpu/card.h"
#include "native/base/check.h"
#include "native/formats/half.h"
#include "test/native/linear_data.h"

namespace kvasir::gpu_bench {
namespace {

constexpr int kHeads = 32, kKvHeads = 8, kHeadDim = 128;

struct Shape {
  int sequences, tokens, past;
};

void fill(const KvCache& kv, test::Random& random) {
  const int64_t head_pages = int64_t{kv.pages} * kv.layers * kv.kv_heads;
  const int64_t values = 2 * int64_t{kPageTokens} * kv.head_dim;
  for (int64_t p = 0; p < head_pages; ++p) {
    uint8_t* page = kv.base + p * kv.head_page_bytes();
    for (int64_t i = 0; i < values; ++i) {
      if (kv.dtype == Dtype::kv8)
        page[i] = static_cast<uint8_t>(random() % 255 - 127);
      else
        reinterpret_cast<uint16_t*>(page)[i] = f32_to_f16(static_cast<float>(random() % 2001) / 1000 - 1);
    }
    for (int t = 0; kv.dtype == Dtype::kv8 && t < 2 * kPageTokens; ++t)
      kv.key_scales(page)[t] = 0.001f + static_cast<float>(random() % 100) * 1e-4f;
  }
}

Line one(Card& card, Dtype dtype, const Shape& shape) {
  test::Random random(7);
  const int context = shape.past + shape.tokens, pages_each = (context + kPageTokens - 1) / kPageTokens;
  const int T = shape.sequences * shape.tokens;
  std::vector<int32_t> start{0}, position, block_start{0}, blocks, of_token;
  for (int s = 0; s < shape.sequences; ++s) {
    start.push_back(start.back() + shape.tokens);
    position.push_back(shape.past);
    of_token.insert(of_token.end(), shape.tokens, s);
    for (int b = 0; b < pages_each; ++b) blocks.push_back(static_cast<int32_t>(blocks.size()));
    block_start.push_back(static_cast<int32_t>(blocks.size()));
  }
  std::shuffle(blocks.begin(), blocks.end(), random);
  KvCache kv{nullptr, dtype, 1, static_cast<int32_t>(blocks.size()), kKvHeads, kHeadDim};
  const test::Buffer pages(kv.bytes());
  kv.base = pages.get();
  fill(kv, random);
  const int columns = (kHeads + 2 * kKvHeads) * kHeadDim;
  const test::Buffer qkv = test::random_activations(Dtype::f32, T, columns, random);
  const int64_t y_stride = activation_stride(Dtype::f32, kHeads * kHeadDim);
  const test::Buffer expected(T * y_stride, 0);

  Attention op;
  op.sequences = {shape.sequences, start.data(), position.data(), block_start.data(), blocks.data(), of_token.data()};
  op.qkv = {qkv.get(), Dtype::f32, T, columns, activation_stride(Dtype::f32, columns)};
  op.heads = kHeads;
  op.scale = 0.088388f;
  op.kv = kv;
  op.y = {expected.get(), Dtype::f32, T, kHeads * kHeadDim, y_stride};
  on_cpu(&cpu::KernelTable::attention, op);

  const auto ints = [&](const std::vector<int32_t>& values) { return card.put(values.data(), values.size() * 4); };
  const auto there = [](const driver::DeviceMemory& memory) { return reinterpret_cast<const int32_t*>(memory.data()); };
  const auto start_there = ints(start), position_there = ints(position), block_start_there = ints(block_start),
             blocks_there = ints(blocks), of_token_there = ints(of_token);
  const auto pages_there = card.put(pages.get(), pages.size), qkv_there = card.put(qkv.get(), qkv.size),
             y_there = card.put(expected.get(), expected.size), workspace = card.room(kAttentionWorkspaceBytes);
  Attention device = op;
  device.sequences = {shape.sequences,          there(start_there),  there(position_there),
                      there(block_start_there), there(blocks_there), there(of_token_there)};
  device.qkv.data = qkv_there.data();
  device.y.data = y_there.data();
  device.kv.base = pages_there.data();
  device.workspace = reinterpret_cast<float*>(workspace.data());
  device.workspace_bytes = kAttentionWorkspaceBytes;
  const cuda::StepExtent extent{shape.tokens, shape.tokens, context};
  Line line;
  const bool wgmma = cuda::uses_wgmma(device, card.facts());
  line.name = text(wgmma ? "attention by wgmma " : "attention ", dtype == Dtype::kv8 ? "kv8 " : "f16 ", shape.sequences,
                   " x ", shape.tokens, " after ", shape.past);
  line.milliseconds = card.milliseconds(std::vector{cuda::plan_attention(device, extent, card.facts())});
  const std::vector<uint8_t> found = card.get(y_there.data(), expected.size);
  line.different = wgmma ? far_values(found, expected.get(), T, y_stride, int64_t{kHeads} * kHeadDim)
                         : different_bytes(found, expected.get(), T, y_stride, int64_t{kHeads} * kHeadDim * 4);
  line.bytes = static_cast<double>(kv.bytes()) + 4.0 * T * (kHeads * kHeadDim * 2);
  if (dtype == Dtype::kv8 || wgmma) line.ops = 4.0 * T * kHeads * kHeadDim * (shape.past + shape.tokens / 2.0);
  if (wgmma) line.rate = 0.5;
  return line;
}

}  // namespace

std::vector<Line> bench_attention(Card& card) {
  std::vector<Line> lines;
  const std::vector<Shape> real = {{64, 1, 4095}, {1, 1, 32767}, {1, 2048, 0}}, small = {{2, 1, 300}, {1, 40, 30}};
  const auto add = [&](Dtype dtype, bool wgmma) {
    card.use_wgmma(wgmma);
    for (const Shape& shape : card.small() ? small : real)
      if (!card.late()) lines.push_back(one(card, dtype, shape));
  };
  add(Dtype::kv8, false);
  add(Dtype::f16, false);
  if (card.has_wgmma()) add(Dtype::f16, true);
  return lines;
}

}  // namespace kvasir::gpu_bench
