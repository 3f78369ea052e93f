// Speed of `linear` on one thread: multiply-adds a cycle and weight bytes a second, and the share of the bound.
//
//   linear_bench [--format q4_0] [--isa avx2] [--shape 0…2] [--tokens 512] [--baseline] [--hot]
//   linear_bench --machine 2      clock, and the bandwidth and multiply-adds a second that so many threads can have
//
// The bound of a cell is the greater of two times: multiply-adds ÷ what the instructions allow (a cycle's SIMD and
// multiplier slots, per format), and weight bytes ÷ the read bandwidth measured here. Time is the thread's own, since
// the machine may be shared; for few tokens the weights rotate over more memory than the caches hold, unless --hot.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <ctime>
#include <map>
#include <thread>

#include "test/native/linear_data.h"

namespace kvasir::test {
namespace {

double seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

// Best of many short runs of a chain of dependent additions, one a cycle.
double measure_ghz() {
  double best = 0;
  for (int run = 0; run < 60; ++run) {
    const double start = seconds();
    uint64_t chain = 1;
    for (int i = 0; i < 25000; ++i) {
#if defined(__x86_64__)
      asm volatile("add $1, %0; add $1, %0; add $1, %0; add $1, %0; add $1, %0; add $1, %0; add $1, %0; add $1, %0"
                   : "+r"(chain));
#else
      asm volatile("" : "+r"(chain));
#endif
    }
    best = std::max(best, 8 * 25000 / (seconds() - start) * 1e-9);
  }
  return best;
}

// Four streams, as a strip of rows is read.
double measure_bandwidth() {
  using Words = uint64_t __attribute__((vector_size(16), may_alias));
  const Buffer memory(size_t{256} << 20, 1);
  const size_t quarter = memory.size / 4;
  double best = 0;
  for (int run = 0; run < 6; ++run) {
    const double start = seconds();
    Words sum[4] = {};
    for (size_t at = 0; at < quarter; at += 64) {
      for (size_t stream = 0; stream < 4; ++stream) {
        const uint8_t* line = memory.get() + stream * quarter + at;
        __builtin_prefetch(line + 512);
        for (int i = 0; i < 4; ++i) sum[stream] += reinterpret_cast<const Words*>(line)[i];
      }
    }
    asm volatile("" : : "r"(sum) : "memory");
    best = std::max(best, double(memory.size) / (seconds() - start) * 1e-9);
  }
  return best;
}

// Multiply-adds a cycle that the instructions of a tile allow, from two multipliers and four SIMD pipes.
double instruction_bound(const std::string& isa, Dtype dtype) {
  const bool avx512 = isa == "avx512", avxvnni = isa == "avxvnni";
  const double vnni = avx512 ? 1 : 0.5;  // of 64 bytes
  switch (dtype) {
    case Dtype::f32:
    case Dtype::f16:
    case Dtype::bf16:
      return avx512 ? 32 : 16;
    default:
      break;
  }
  if (avx512 || avxvnni) switch (dtype) {
      case Dtype::q4_0:
      case Dtype::q5_0:
      case Dtype::q8_0:  // 512 values: 8 vpdpbusd, a multiplication, an fma
        return vnni * 102.4;
      case Dtype::q6_k:  // two float halves
        return vnni * 85.3;
      default:
        return vnni * 93.1;
    }
  switch (dtype) {
    case Dtype::q8_0:  // 16 × 16-bit products of 16 values, 2 float operations
      return 28.4;
    case Dtype::q4_0:  // 8 products, 1 or 2 sums, 2 floats
      return 46.5;
    case Dtype::q5_0:
    case Dtype::q4_1:
    case Dtype::q4_k:
      return 42.7;
    case Dtype::q5_1:
    case Dtype::q5_k:
      return 39.4;
    default:
      return 32;
  }
}

// What limits a step on `threads` threads: read bandwidth together, and multiply-adds of 4-bit weights with a minimum.
int print_machine(int threads) {
  std::vector<double> bandwidth(static_cast<size_t>(threads));
  std::vector<std::thread> others;
  for (double& mine : bandwidth) others.emplace_back([&mine] { mine = measure_bandwidth(); });
  for (std::thread& other : others) other.join();
  double together = 0;
  for (const double one : bandwidth) together += one;
  const double ghz = measure_ghz(), bound = instruction_bound(isas().back().isa, Dtype::q4_1);
  std::printf("{\"ghz\":%.2f,\"gb_per_s\":%.1f,\"gmac_per_s\":%.0f}\n", ghz, together, bound * ghz * threads);
  return 0;
}

struct Shape {
  int rows, cols;
};
constexpr Shape kShapes[] = {{1536, 576}, {576, 1536}, {4096, 4096}};
constexpr int kTokens[] = {1, 2, 3, 4, 6, 8, 16, 32, 64, 512};

struct Options {
  std::string format, isa;
  int shape = -1, tokens = 0;
  bool baseline = false, hot = false;
};

struct Machine {
  double ghz, bandwidth;
  std::map<std::string, double> figures;
};

bool same_bits(const Linear& op) {
  Linear few = op;
  few.segment[0].w.rows = 4;
  const Buffer scratch(size_t{kScratchBytes});
  const Buffer y(size_t(op.y.stride) * size_t(op.y.rows));
  few.y.data = y.get();
  std::atomic<int64_t> ticket{0};
  isas().front().linear(few, Worker{0, 1, nullptr, &ticket, scratch.get(), kScratchBytes});
  return std::memcmp(few.y.f32(op.y.rows - 1), op.y.f32(op.y.rows - 1), 4 * sizeof(float)) == 0;
}

bool measure(const Isa& isa, const Format& format, Shape shape, int tokens, bool hot, Machine& machine) {
  Random random(7);
  const Dtype x_dtype = is_quantised(format.dtype) ? Dtype::act8 : Dtype::f32;
  const Buffer x = random_activations(x_dtype, tokens, shape.cols, random);
  const int64_t y_stride = activation_stride(Dtype::f32, shape.rows);
  const Buffer y(size_t(y_stride) * size_t(tokens), 0);
  const double bytes = double(row_bytes(format.dtype, shape.cols)) * shape.rows;
  const Buffer one = random_weights(format.dtype, shape.rows, shape.cols, random);
  const int copies = tokens > 16 || hot ? 1 : int(160e6 / bytes) + 1;
  const Buffer weights(size_t(bytes) * size_t(copies));
  for (int i = 0; i < copies; ++i) std::memcpy(weights.get() + size_t(i) * one.size, one.get(), one.size);
  const Buffer scratch(size_t{kScratchBytes}, 0);
  std::atomic<int64_t> ticket{0};
  const Worker worker{0, 1, nullptr, &ticket, scratch.get(), kScratchBytes};

  Linear op;
  op.x = {x.get(), x_dtype, tokens, shape.cols, activation_stride(x_dtype, shape.cols)};
  op.y = {y.get(), Dtype::f32, tokens, shape.rows, y_stride};
  op.segments = 1;
  op.segment[0].w = {weights.get(), format.dtype, shape.rows, shape.cols, row_bytes(format.dtype, shape.cols)};
  isa.linear(op, worker);
  if (!same_bits(op)) {
    std::printf("%s %s: wrong result\n", isa.isa, format.name);
    return false;
  }

  std::vector<double> times;
  const double start = seconds();
  for (int i = 0; times.size() < 5 || (seconds() - start < 0.06 && times.size() < 1000); ++i) {
    op.segment[0].w.data = weights.get() + size_t(i % copies) * one.size;
    const double before = seconds();
    isa.linear(op, worker);
    times.push_back(seconds() - before);
  }
  std::sort(times.begin(), times.end());
  const double macs = double(shape.rows) * shape.cols * tokens;
  const auto macs_a_cycle = [&](double time) { return macs / time / machine.ghz * 1e-9; };
  const double best = times.front(), median = times[times.size() / 2];
  const double bound = std::max(macs / (instruction_bound(isa.isa, format.dtype) * machine.ghz * 1e9),
                                copies > 1 ? bytes / (machine.bandwidth * 1e9) : 0);
  std::printf("%-8s %-5s %4d×%-4d %4d %8.1f %8.1f %8.1f %8.1f %7.0f %%\n", isa.isa, format.name, shape.rows, shape.cols,
              tokens, macs_a_cycle(best), macs_a_cycle(median), bytes / best * 1e-9, bytes / median * 1e-9,
              100 * bound / best);
  std::fflush(stdout);
  const std::string key = std::string(isa.isa) + "." + format.name + "." + std::to_string(shape.rows) + "x" +
                          std::to_string(shape.cols) + ".t" + std::to_string(tokens);
  machine.figures[key + (tokens > 4 ? ".mac_per_cycle" : ".gb_per_s")] =
      tokens > 4 ? macs_a_cycle(median) : bytes / median * 1e-9;
  machine.figures[key + ".of_bound"] = 100 * bound / median;
  return true;
}

std::string output_of(const char* command) {
  char line[256] = "";
  if (FILE* pipe = popen(command, "r")) {
    if (!std::fgets(line, sizeof line, pipe)) line[0] = 0;
    pclose(pipe);
  }
  std::string text = line;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

int run(const Options& options) {
  Machine machine{measure_ghz(), measure_bandwidth(), {}};
  std::printf("%.2f GHz, one thread reads %.1f GB/s\n\n", machine.ghz, machine.bandwidth);
  std::printf("%-8s %-5s %9s %4s %17s %17s %9s\n%-28s %8s %8s %8s %8s\n", "isa", "w", "N×K", "T", "MAC/cycle", "GB/s",
              "of bound", "", "best", "median", "best", "median");
  bool good = true;
  for (const Isa& isa : isas()) {
    const bool slow = std::string(isa.isa) == "baseline";
    if (options.isa.empty() ? slow && !options.baseline : options.isa != isa.isa) continue;
    for (const Format& format : kFormats) {
      if (!options.format.empty() && options.format != format.name) continue;
      for (int s = 0; s < 3; ++s) {
        if (options.shape >= 0 && options.shape != s) continue;
        if (kShapes[s].cols % block_of(format.dtype).values) continue;  // K-quants need multiples of 256
        for (int tokens : kTokens) {
          if (options.tokens ? options.tokens == tokens : !(slow && tokens > 4)) {
            good &= measure(isa, format, kShapes[s], tokens, options.hot, machine);
          }
        }
      }
    }
  }
  std::printf("{\"bench\":\"kernels/linear\",\"commit\":\"%s\",\"machine\":\"%s\",\"figures\":{",
              output_of("git rev-parse --short HEAD").c_str(),
              output_of("sed -n 's/^model name.*: //p' /proc/cpuinfo").c_str());
  const char* separator = "";
  for (const auto& [name, value] : machine.figures) {
    std::printf("%s\"%s\":%.1f", separator, name.c_str(), value);
    separator = ",";
  }
  std::printf("}}\n");
  return good ? 0 : 1;
}

}  // namespace
}  // namespace kvasir::test

int main(int argc, char** argv) {
  kvasir::test::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--baseline" || name == "--hot") {
      (name == "--hot" ? options.hot : options.baseline) = true;
      continue;
    }
    if (name == "--machine") return kvasir::test::print_machine(std::max(1, std::atoi(value)));
    if (name == "--format") options.format = value;
    if (name == "--isa") options.isa = value;
    if (name == "--shape") options.shape = std::atoi(value);
    if (name == "--tokens") options.tokens = std::atoi(value);
    ++i;
  }
  return kvasir::test::run(options);
}
