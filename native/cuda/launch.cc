// Grids. Nothing here may change a result: kernels give the same bits whatever shares their launch.
#include <algorithm>

#include "native/base/check.h"
#include "native/cuda/contract.h"
#include "native/cuda/pack.h"
#include "native/cuda/tiles.h"

namespace kvasir::cuda {
namespace {

uint32_t up(int64_t n, int64_t by) { return static_cast<uint32_t>((n + by - 1) / by); }

Launches one(const char* kernel, Dim3 grid, uint32_t threads, uint32_t shared_bytes = 0) {
  Launches launches;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return launches;
  launches.count = 1;
  launches.launch[0] = {kernel, grid, {threads, 1, 1}, shared_bytes};
  return launches;
}

uint32_t rows_of(const Rows& rows) { return static_cast<uint32_t>(rows.rows); }

enum class Kind { narrow, wide, wgmma_128, wgmma_256 };

const char* linear_kernel(Dtype dtype, Kind kind) {
  switch (dtype) {
#define KVASIR_NAMES(format)                                                                           \
  case Dtype::format: {                                                                                \
    constexpr const char* kNames[] = {"linear_" #format "_narrow", "linear_" #format "_wide",          \
                                      "linear_" #format "_wgmma_128", "linear_" #format "_wgmma_256"}; \
    return kNames[static_cast<int>(kind)];                                                             \
  }
    KVASIR_QUANTISED_FORMATS(KVASIR_NAMES)
#undef KVASIR_NAMES
    case Dtype::f32:
      return "linear_f32";
    case Dtype::f16:
      return "linear_f16";
    case Dtype::bf16:
      return "linear_bf16";
    default:
      throw Error("KV_UNSUPPORTED", text("linear: format ", static_cast<int>(dtype), " holds no weights"));
  }
}

int64_t panels_in(const Linear& op, Dtype dtype) {
  int64_t panels = 0;
  for (int i = 0; i < op.segments; ++i)
    if (op.segment[i].w.dtype == dtype) panels += panels_of(op.segment[i].w.rows);
  return panels;
}

// One of `make` for each format among the segments.
template <typename Make>
Launches each_format(const Linear& op, Make make) {
  Launches launches;
  for (int s = 0; s < op.segments && op.y.rows > 0; ++s) {
    bool known = false;
    for (int i = 0; i < s; ++i) known |= op.segment[i].w.dtype == op.segment[s].w.dtype;
    if (!known) launches.launch[launches.count++] = make(op.segment[s].w.dtype);
  }
  return launches;
}

}  // namespace

Launches plan(const Embed& op, const DeviceFacts&) { return one("embed", {rows_of(op.y)}, kRowThreads); }
Launches plan(const RmsNorm& op, const DeviceFacts&) { return one("rms_norm", {rows_of(op.y)}, kRowThreads, 16); }
Launches plan(const Quantize& op, const DeviceFacts&) {
  return one("quantize", {up(op.y.dim, kRowThreads), rows_of(op.y)}, kRowThreads);
}
Launches plan(const SwiGlu& op, const DeviceFacts&) {
  return one("swiglu", {up(op.y.dim, kRowThreads), rows_of(op.y)}, kRowThreads);
}
Launches plan(const Add& op, const DeviceFacts&) {
  return one("add", {up(op.y.dim, kRowThreads), rows_of(op.y)}, kRowThreads);
}
Launches plan(const RopeTable& op, const DeviceFacts&) {
  return one("rope_table", {up(op.y.dim / 2, 32), rows_of(op.y)}, 32);
}
Launches plan(const RopeKv& op, const DeviceFacts&) {
  return one("rope_kv", {rows_of(op.qkv), up(op.heads + 2 * op.kv.kv_heads, kHeadWarps)}, kHeadWarps * 32,
             kHeadWarps * kMaxHeadDim * sizeof(float));
}

Launches plan(const Linear& op, const DeviceFacts&) {
  const bool wide = op.x.rows > kNarrowTile.tokens;
  return each_format(op, [&](Dtype dtype) -> Launch {
    const char* kernel = linear_kernel(dtype, wide ? Kind::wide : Kind::narrow);
    const int64_t panels = panels_in(op, dtype);
    if (!is_quantised(dtype))
      return {kernel,
              {up(panels, float_panels(op.x.rows)), up(op.x.rows, float_tokens(op.x.rows))},
              {kFloatThreads, 1, 1},
              0};
    const LinearTile tile = wide ? kWideTile : kNarrowTile;
    return {kernel,
            {up(panels, wide ? tile.warps * tile.panels : tile.panels), up(op.x.rows, tile.tokens)},
            {tile.warps * 32u, 1, 1},
            wide ? kWideSharedBytes : narrow_shared_bytes(dtype == Dtype::q6_k)};
  });
}

bool uses_wgmma(const Linear& op, const DeviceFacts& device) {
  const auto multiple_of_16 = [](uint64_t value) { return value % 16 == 0; };  // what the driver asks of a tensor map
  return device.wgmma && op.x.dtype == Dtype::act8 && op.x.rows > kNarrowTile.tokens &&
         multiple_of_16(reinterpret_cast<uint64_t>(op.x.data)) && multiple_of_16(op.x.stride);
}

// Two a warp where that makes a block for every multiprocessor.
int32_t wgmma_panels(const Linear& op, const DeviceFacts& device) {
  int64_t blocks = 0;
  for (int s = 0; s < op.segments; ++s) blocks += up(panels_of(op.segment[s].w.rows), 2 * kWgmmaWarps);
  return blocks * up(op.x.rows, kWgmmaTokens) >= device.multiprocessors ? 2 * kWgmmaWarps : kWgmmaWarps;
}

Launches plan(const TensorLinear& arg, const DeviceFacts& device) {
  const Linear& op = arg.op;
  const int32_t panels = wgmma_panels(op, device);
  return each_format(op, [&](Dtype dtype) -> Launch {
    const PanelShape shape = panel_shape(dtype, 256);
    const uint32_t part = 2 * (shape.quants + shape.high + shape.scales) + shape.supers;
    const uint32_t stage = wgmma_stage_bytes(part, panels), stages = wgmma_stages(stage);
    return {linear_kernel(dtype, panels == kWgmmaWarps ? Kind::wgmma_128 : Kind::wgmma_256),
            {up(panels_in(op, dtype), panels), up(op.x.rows, kWgmmaTokens)},
            {kWgmmaThreads, 1, 1},
            stages * (stage + 16)};
  });
}

Launches plan(const RoundRows& op, const DeviceFacts&) { return one("round_rows", {rows_of(op.x)}, kRowThreads, 16); }

bool uses_wgmma_half(const Linear& op, const DeviceFacts& device) {
  const Dtype dtype = op.segment[0].w.dtype;
  if (!device.wgmma_half || (dtype != Dtype::f16 && dtype != Dtype::bf16) || op.x.dim % 8 != 0) return false;
  for (int s = 0; s < op.segments; ++s) {
    const Weight& w = op.segment[s].w;
    if (w.dtype != dtype || reinterpret_cast<uint64_t>(w.data) % 16 != 0) return false;
  }
  return true;
}

// Where the large tiles make a block for every multiprocessor.
bool wgmma_half_large(const Linear& op, const DeviceFacts& device) {
  int64_t blocks = 0;
  for (int s = 0; s < op.segments; ++s) blocks += up(op.segment[s].w.rows, kLargeHalfTile.outputs);
  return op.x.rows > kSmallHalfTile.tokens && blocks * up(op.x.rows, kLargeHalfTile.tokens) >= device.multiprocessors;
}

Launches plan(const TensorHalfLinear& arg, const DeviceFacts& device) {
  const Linear& op = arg.op;
  const bool large = wgmma_half_large(op, device), f16 = op.segment[0].w.dtype == Dtype::f16;
  const HalfTile tile = large ? kLargeHalfTile : kSmallHalfTile;
  uint32_t blocks = 0;
  for (int s = 0; s < op.segments; ++s) blocks += up(op.segment[s].w.rows, tile.outputs);
  const char* kernel = f16     ? large ? "linear_f16_wgmma_256" : "linear_f16_wgmma_64"
                       : large ? "linear_bf16_wgmma_256"
                               : "linear_bf16_wgmma_64";
  return one(kernel, {blocks, up(op.x.rows, tile.tokens)}, half_threads(tile), half_shared_bytes(tile));
}

bool uses_wgmma(const Attention& op, const DeviceFacts& device) {
  const KvCache& kv = op.kv;
  const int64_t rows = int64_t{kv.pages} * kv.layers * kv.kv_heads * 2 * kPageTokens;
  return device.wgmma_attention && kv.dtype == Dtype::f16 && (kv.head_dim == 64 || kv.head_dim == 128) &&
         op.heads / kv.kv_heads <= 64 && rows <= INT32_MAX && op.qkv.stride % 8 == 0;
}

PagedAttention plan_attention(const Attention& op, const StepExtent& extent, const DeviceFacts& device) {
  PagedAttention paged{.op = op};
  const KvCache& kv = op.kv;
  const bool tiles = uses_wgmma(op, device) ||
                     (kv.dtype == Dtype::kv8 && kv.head_dim % 16 == 0 && kv.head_dim <= kMostPrefillDim &&
                      op.heads / kv.kv_heads <= kPrefillRows &&
                      prefill_shared_bytes(prefill_dim(kv.head_dim)) <= static_cast<uint32_t>(device.shared_bytes));
  paged.decode_tokens = tiles ? kDecodeTokens : INT32_MAX;
  paged.decodes = extent.fewest_tokens <= paged.decode_tokens;
  paged.prefills = extent.most_tokens > paged.decode_tokens;
  const int64_t splits = up(extent.context, kSplitTokens);
  const int64_t blocks = int64_t{op.qkv.rows} * kv.kv_heads;
  const int64_t needed =
      int64_t{op.qkv.rows} * op.heads * splits * attention_part_floats(kv.head_dim) * int64_t{sizeof(float)};
  if (splits > 1 && blocks < int64_t{4} * device.multiprocessors && needed <= op.workspace_bytes)
    paged.splits = static_cast<int32_t>(splits);
  return paged;
}

Launches plan(const PagedAttention& paged, const DeviceFacts&) {
  const Attention& op = paged.op;
  const int32_t group = op.heads / op.kv.kv_heads, kv_heads = op.kv.kv_heads, warps = std::min(group, kDecodeWarps);
  Launches launches;
  if (op.qkv.rows == 0) return launches;
  const auto launch = [&](const char* kernel, Dim3 grid, uint32_t threads, uint32_t shared_bytes) {
    launches.launch[launches.count++] = {kernel, grid, {threads, 1, 1}, shared_bytes};
  };
  if (paged.decodes)
    launch("attention_decode", {static_cast<uint32_t>(paged.splits), kv_heads * up(group, warps), rows_of(op.qkv)},
           warps * 32, warps * kDecodeSharedBytes);
  if (paged.decodes && paged.splits > 1)
    launch("attention_merge", {rows_of(op.qkv), up(op.heads, kHeadWarps)}, kHeadWarps * 32, 0);
  if (paged.prefills) {
    const uint32_t dim = prefill_dim(op.kv.head_dim);
    launch(dim == 64 ? "attention_prefill_64" : "attention_prefill_128",
           {up(op.qkv.rows, kPrefillRows / group), static_cast<uint32_t>(kv_heads)}, 128, prefill_shared_bytes(dim));
  }
  return launches;
}

Launches plan(const TensorAttention& arg, const DeviceFacts&) {
  const PagedAttention& paged = arg.paged;
  const Attention& op = paged.op;
  const int32_t dim = op.kv.head_dim, group = op.heads / op.kv.kv_heads;
  const auto kv_heads = static_cast<uint32_t>(op.kv.kv_heads);
  Launches launches;
  if (op.qkv.rows == 0) return launches;
  const auto launch = [&](const char* kernel, Dim3 grid, uint32_t threads, uint32_t shared_bytes) {
    launches.launch[launches.count++] = {kernel, grid, {threads, 1, 1}, shared_bytes};
  };
  if (paged.decodes)
    launch(dim == 64 ? "attention_few_wgmma_64" : "attention_few_wgmma_128",
           {static_cast<uint32_t>(paged.splits), kv_heads, rows_of(op.qkv)}, 256, block_ring_bytes(dim, 1));
  if (paged.decodes && paged.splits > 1)
    launch("attention_merge", {rows_of(op.qkv), up(op.heads, kHeadWarps)}, kHeadWarps * 32, 0);
  if (paged.prefills)
    launch(dim == 64 ? "attention_wgmma_64" : "attention_wgmma_128",
           {up(op.qkv.rows, kPrefillGroups * 64 / group), kv_heads}, kPrefillGroups * 128 + 128,
           block_ring_bytes(dim, kPrefillGroups));
  return launches;
}

Launches plan(const DeviceSample& op, const DeviceFacts&) {
  KV_CHECK(op.logits.dim <= kMaxVocab, "KV_UNSUPPORTED", "sample: a vocabulary of ", op.logits.dim, ", at most ",
           kMaxVocab);
  return one("sample", {rows_of(op.logits)}, kSampleThreads, kSampleSharedBytes);
}
Launches plan(const DevicePool& op, const DeviceFacts&) {
  return one("pool", {static_cast<uint32_t>(op.sequences.count), up(op.x.dim, kRowThreads)}, kRowThreads);
}
Launches plan(const CopyPages& op, const DeviceFacts&) {
  const int64_t chunks = std::min<int64_t>(up(op.page_bytes, 16 * kRowThreads), 256);
  return one("copy_pages", {static_cast<uint32_t>(chunks), static_cast<uint32_t>(op.count)}, kRowThreads);
}

}  // namespace kvasir::cuda
