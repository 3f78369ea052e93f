#include "test/simt/harness.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "native/base/check.h"
#include "native/cuda/hopper/kernels.h"
#include "native/cuda/kernels.h"
#include "native/cuda/pack.h"

namespace kvasir::simt_test {
namespace {

using Run = void (*)(const void* op);

const std::map<std::string, Run>& all_kernels() {
  static const std::map<std::string, Run> kernels = {
#define KVASIR_ENTRY(name, Op) {#name, [](const void* op) { cuda::name(*static_cast<const Op*>(op)); }},
      KVASIR_CUDA_KERNELS(KVASIR_ENTRY) KVASIR_HOPPER_KERNELS(KVASIR_ENTRY)
#undef KVASIR_ENTRY
  };
  return kernels;
}

Run kernel_named(const std::string& name) {
  const auto at = all_kernels().find(name);
  KV_CHECK(at != all_kernels().end(), "INTERNAL", "no kernel named ", name);
  return at->second;
}

simt::Dim3 dim3_of(const cuda::Dim3& d) { return {d.x, d.y, d.z}; }

}  // namespace

void Card::run(const cuda::Launches& launches, const void* op) {
  for (int i = 0; i < launches.count; ++i) {
    const cuda::Launch& launch = launches.launch[i];
    const Run kernel = kernel_named(launch.kernel);
    kernels.insert(launch.kernel);
    simt::Launch block{dim3_of(launch.grid), dim3_of(launch.block), launch.shared_bytes};
    block.seed = seed;
    block.shared_granule = 1;
    machine.launch(block, [&] { kernel(op); });
  }
}

void print(const std::string& name, const Card& card, int64_t different, double error, const Floor& floor) {
  std::string findings;
  const auto quoted = [](const std::string& words) { return "\"" + words + "\""; };
  for (const auto& [kind, finding] : card.machine.report.findings)
    findings += text(findings.empty() ? "" : ",", quoted(kind), ":", quoted(finding.first));
  std::string kernels;
  for (const std::string& kernel : card.kernels) kernels += text(kernels.empty() ? "" : ",", quoted(kernel));
  std::string buffers;
  for (const auto& [buffer, traffic] : card.machine.counters.buffers)
    buffers += text(buffers.empty() ? "" : ",", quoted(buffer), ":[", traffic.sectors_read * 32, ",",
                    traffic.sectors_written * 32, "]");
  const simt::Counters& c = card.machine.counters;
  std::printf("%s\n",
              text("{\"name\":", quoted(name), ",\"different\":", different, ",\"error\":", error, ",\"findings\":{",
                   findings, "},\"kernels\":[", kernels, "],\"buffers\":{", buffers, "},\"floor\":{\"mma\":", floor.mma,
                   ",\"bytes\":", floor.bytes, ",\"operand\":", quoted(floor.operand), "},\"mma\":", c.mma,
                   ",\"sharedRequests\":", c.shared_requests, ",\"bankConflicts\":", c.bank_conflicts,
                   ",\"globalRequests\":", c.global_requests, ",\"globalSectors\":", c.global_sectors,
                   ",\"globalRead\":", c.global_read, ",\"globalWritten\":", c.global_written, "}")
                  .c_str());
}

void run_lint() {
  lint_linear();
  lint_attention();
  lint_tensor_attention();
  lint_tensor_linear();
}

void print_kernels() {
  for (const auto& [name, run] : all_kernels()) std::printf("%s\n", name.c_str());
}

int64_t differences(const void* found, const void* expected, int64_t bytes) {
  int64_t different = 0;
  for (int64_t i = 0; i < bytes; ++i)
    different += static_cast<const uint8_t*>(found)[i] != static_cast<const uint8_t*>(expected)[i];
  return different;
}

int64_t differences(const Rows& found, const Rows& expected) {
  const int64_t bytes = found.dtype == Dtype::act8 ? found.dim + found.dim / kGroup * 8 : found.dim * int64_t{4};
  int64_t different = 0;
  for (int64_t row = 0; row < found.rows; ++row)
    different += differences(found.data + row * found.stride, expected.data + row * expected.stride, bytes);
  return different;
}

double error_of(const Rows& found, const Rows& expected) {
  double most = 0, error = 0;
  for (int64_t row = 0; row < found.rows; ++row)
    for (int32_t i = 0; i < found.dim; ++i) {
      const double a = found.f32(row)[i], b = expected.f32(row)[i];
      if (std::isfinite(b)) most = std::max(most, std::fabs(b));
      if (a == b) continue;
      error = std::isfinite(a) && std::isfinite(b) ? std::max(error, std::fabs(a - b)) : HUGE_VAL;
    }
  return most > 0 ? error / most : error;
}

PackedWeight::PackedWeight(Dtype dtype, int32_t rows, int32_t cols, Random& random)
    : dtype(dtype),
      rows(rows),
      cols(cols),
      file(test::random_weights(dtype, rows, cols, random)),
      packed(static_cast<size_t>(cuda::packed_bytes(dtype, rows, cols))) {
  cuda::pack_panels(host(), 0, cuda::panels_of(rows), packed.get());
}

const char* name_of(Dtype dtype) {
  for (const test::Format& format : test::kFormats)
    if (format.dtype == dtype) return format.name;
  return dtype == Dtype::act8 ? "act8" : dtype == Dtype::kv8 ? "kv8" : "?";
}

}  // namespace kvasir::simt_test
