// attention over f16 pages: a prompt at once by wgmma, the same token by token and in parts, and by the kernel for every card.
#include <climits>
#include <cmath>
#include <random>

#include "native/executor/cuda/self_check.h"
#include "native/executor/cuda/trial.h"
#include "native/formats/half.h"

namespace kvasir::cuda {
namespace {

// A tile that ends in the middle, a ring of blocks that comes round, two splits and the end of a page.
constexpr int32_t kTokens = 45, kPosition = 290, kHeads = 4,
                  kPages = (kPosition + kTokens + kPageTokens - 1) / kPageTokens;
constexpr float kRounding = 2e-3f;  // of f16, relative to values of about 1

}  // namespace

bool wgmma_attention_agrees(const driver::ContextPtr& context, driver::Kernels& kernels, driver::Stream& stream,
                            const KvCache& like) {
  std::mt19937 random(91);
  const auto value = [&] { return static_cast<float>(random() % 2001) * 1e-3f - 1.0f; };
  Trial trial{context, kernels, stream};
  KvCache kv = like;
  kv.layers = kv.kv_heads = 1;
  kv.pages = kPages;
  std::vector<uint16_t> cache(kv.bytes() / 2);
  for (uint16_t& x : cache) x = f32_to_f16(value());
  const auto pages = trial.put(cache);
  kv.base = pages.data();

  const int32_t columns = (kHeads + 2) * kv.head_dim, dims = kHeads * kv.head_dim;
  std::vector<float> queries(kTokens * columns);
  for (float& x : queries) x = value() * 3;
  const auto qkv = trial.put(queries);
  std::vector<int32_t> step = {0, kTokens, kPosition, 0, kPages};  // start, position, block_start; blocks; of_token
  for (int32_t i = 0; i < kPages; ++i) step.push_back((i * 5 + 3) % kPages);
  step.resize(step.size() + kTokens, 0);
  const auto arrays = trial.put(step);
  const auto* at = reinterpret_cast<const int32_t*>(arrays.data());
  const driver::DeviceMemory workspace(context, kAttentionWorkspaceBytes);

  Attention op;
  op.sequences = {1, at, at + 2, at + 3, at + 5, at + 5 + kPages};
  op.qkv = {qkv.data(), Dtype::f32, kTokens, columns, columns * int64_t{4}};
  op.heads = kHeads;
  op.scale = 1 / std::sqrt(static_cast<float>(kv.head_dim));
  op.kv = kv;
  std::vector<float> results[3];
  for (int way = 0; way < 3; ++way) {
    results[way].resize(kTokens * dims);
    const auto y = trial.put(results[way]);
    op.y = {y.data(), Dtype::f32, kTokens, dims, dims * int64_t{4}};
    op.workspace = reinterpret_cast<float*>(workspace.data());
    op.workspace_bytes = way == 2 ? kAttentionWorkspaceBytes : 0;
    const DeviceFacts facts{.multiprocessors = INT_MAX / 8, .compute_capability = 90, .wgmma_attention = way > 0};
    PagedAttention paged = plan_attention(op, {kTokens, kTokens, kPosition + kTokens}, facts);
    if (way == 0) {
      trial.launch(paged, facts);
    } else {
      paged.decode_tokens = way == 1 ? 0 : INT_MAX;
      paged.prefills = way == 1;
      paged.decodes = way == 2;
      trial.launch(with_pages(paged, trial.encoder()), facts);
    }
    trial.get(y, results[way]);
  }
  bool agree = results[1] == results[2];
  for (size_t i = 0; i < results[0].size(); ++i) agree &= std::fabs(results[0][i] - results[1][i]) <= kRounding;
  return agree;
}

}  // namespace kvasir::cuda
