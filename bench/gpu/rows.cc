// Ops that move rows and compute little, and the copy that measures what the memory can do.
#include "bench/gpu/card.h"
#include "native/base/check.h"
#include "test/native/linear_data.h"

namespace kvasir::gpu_bench {
namespace {

struct Place {
  test::Buffer host;
  driver::DeviceMemory card;
  Rows rows, there;
};

Place place(Card& card, Dtype dtype, int32_t rows, int32_t dim, test::Random& random) {
  Place p{test::random_activations(dtype, rows, dim, random), {}, {}, {}};
  p.card = card.put(p.host.get(), p.host.size);
  p.rows = {p.host.get(), dtype, rows, dim, activation_stride(dtype, dim)};
  p.there = p.rows;
  p.there.data = p.card.data();
  return p;
}

Line finish(Card& card, const std::string& name, double milliseconds, const Place& x, const Place& y) {
  const int64_t used = y.rows.dtype == Dtype::act8 ? y.rows.dim + y.rows.dim / 4 : y.rows.dim * 4;
  Line line;
  line.name = text(name, " ", y.rows.rows, " x ", y.rows.dim);
  line.milliseconds = milliseconds;
  line.different =
      different_bytes(card.get(y.card.data(), y.host.size), y.host.get(), y.rows.rows, y.rows.stride, used);
  line.bytes = static_cast<double>(x.rows.rows) * (x.rows.dim * 4.0) +
               static_cast<double>(y.rows.rows) * static_cast<double>(used);
  return line;
}

}  // namespace

std::vector<Line> bench_rows(Card& card) {
  test::Random random(3);
  const int rows = card.small() ? 5 : 2048, dim = card.small() ? 256 : 8192;
  std::vector<Line> lines;
  {
    const Place x = place(card, Dtype::f32, rows, dim, random), y = place(card, Dtype::act8, rows, dim, random);
    const std::vector<float> w(dim, 1.25f);
    const auto w_there = card.put(w.data(), w.size() * 4);
    on_cpu(&cpu::KernelTable::rms_norm, RmsNorm{.x = x.rows, .w = w.data(), .eps = 1e-5f, .y = y.rows});
    const RmsNorm op{.x = x.there, .w = reinterpret_cast<const float*>(w_there.data()), .eps = 1e-5f, .y = y.there};
    lines.push_back(finish(card, "rms_norm to act8", card.milliseconds(std::vector{op}), x, y));
  }
  {
    const Place x = place(card, Dtype::f32, rows, 2 * dim, random), y = place(card, Dtype::act8, rows, dim, random);
    on_cpu(&cpu::KernelTable::swiglu, SwiGlu{x.rows, y.rows});
    lines.push_back(finish(card, "swiglu to act8", card.milliseconds(std::vector{SwiGlu{x.there, y.there}}), x, y));
  }
  {
    const Place x = place(card, Dtype::f32, rows, dim, random), y = place(card, Dtype::act8, rows, dim, random);
    on_cpu(&cpu::KernelTable::quantize, Quantize{x.rows, y.rows});
    lines.push_back(finish(card, "quantize", card.milliseconds(std::vector{Quantize{x.there, y.there}}), x, y));
  }
  return lines;
}

double copy_bandwidth(Card& card) {
  const int64_t page = card.small() ? 1 << 16 : int64_t{512} << 20;
  const auto pages = card.room(2 * page);
  const std::vector<int32_t> pair = {0, 1};
  const auto pair_there = card.put(pair.data(), 8);
  const cuda::CopyPages op{pages.data(), page, reinterpret_cast<const int32_t*>(pair_there.data()), 1};
  return 2.0 * static_cast<double>(page) / (card.milliseconds(std::vector{op}) * 1e-3);
}

}  // namespace kvasir::gpu_bench
