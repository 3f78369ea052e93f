// The kernels of every instruction set that this machine runs, for tests and benches, called on typed arrays.
//
//   isas() → ['baseline', …]
//   run(op, args, { isa, threads, repeat }) → ns of the fastest of `repeat` calls
//
// `args` has the fields of the op's struct in native/ops in camel case. What a kernel writes is in the caller's arrays.
#include <napi.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <functional>
#include <map>
#include <thread>

#include "native/base/check.h"
#include "native/cpu/sampling/philox.h"
#include "native/cpu/table.h"
#include "test/native/kernel_args.h"

namespace kvasir::test {

void register_grammar(Napi::Env env, Napi::Object exports);  // test/native/grammar.cc

namespace {

using Call = std::function<void(const Worker&)>;

// The baseline first.
std::vector<const cpu::KernelTable*> tables() {
  std::vector<const cpu::KernelTable*> all = cpu::runnable_kernels();
  std::reverse(all.begin(), all.end());
  return all;
}

const cpu::KernelTable& table_of(const std::string& isa) {
  for (const auto* table : tables())
    if (isa == table->isa) return *table;
  throw Error("KV_ARGUMENT", "this machine does not run the instruction set " + isa);
}

struct StepBarrier : Barrier {
  struct Reset {
    std::atomic<int64_t>* ticket;
    void operator()() noexcept { ticket->store(0); }
  };
  StepBarrier(int count, std::atomic<int64_t>* ticket) : inner(count, Reset{ticket}) {}
  void wait() override { inner.arrive_and_wait(); }
  std::barrier<Reset> inner;
};

// Calls `call` on `threads` threads, `repeat` times; nanoseconds of the fastest.
double run(const Call& call, int threads, int repeat) {
  std::atomic<int64_t> ticket{0};
  StepBarrier barrier(threads, &ticket);
  double best = 1e18;
  const auto body = [&](int index) {
    std::vector<uint8_t> scratch(kScratchBytes + 64);
    Worker worker{index,
                  threads,
                  &barrier,
                  &ticket,
                  scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64),
                  kScratchBytes};
    for (int i = 0; i < repeat; ++i) {
      barrier.wait();
      const auto start = std::chrono::steady_clock::now();
      call(worker);
      barrier.wait();
      const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
      if (index == 0) best = std::min(best, took.count());
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(body, i);
  body(0);
  for (auto& thread : others) thread.join();
  return best;
}

template <typename Op>
Call with(void (*kernel)(const Op&, const Worker&), Op op) {
  return [kernel, op](const Worker& worker) { kernel(op, worker); };
}

Call embed(const cpu::KernelTable& table, const Args& args) {
  return with(table.embed, Embed{args.weight("table"), args.i32s("tokens"), args.i32s("lastSampled"), args.rows("y")});
}

Call rms_norm(const cpu::KernelTable& table, const Args& args) {
  return with(table.rms_norm,
              RmsNorm{args.rows("x"), args.f32s("w"), args.i32s("index"), args.f32("eps"), args.rows("y")});
}

Call linear(const cpu::KernelTable& table, const Args& args) {
  Linear op;
  op.x = args.rows("x");
  op.segments = 1;
  op.segment[0] = {args.weight("w"), args.f32s("bias"), 0};
  op.y = args.rows("y");
  op.accumulate = args.flag("accumulate");
  return with(table.linear, op);
}

Call gated_linear(const cpu::KernelTable& table, const Args& args) {
  GatedLinear op;
  op.both.x = args.rows("x");
  op.both.y = args.rows("both");
  op.both.segments = 2;
  op.both.segment[0] = {args.weight("gate"), args.f32s("gateBias"), 0};
  op.both.segment[1] = {args.weight("up"), args.f32s("upBias"), op.both.segment[0].w.rows};
  op.y = args.rows("y");
  return with(table.gated_linear, op);
}

Call attention(const cpu::KernelTable& table, const Args& args, StepSequences sequences) {
  Attention op;
  op.sequences = sequences;
  op.qkv = args.rows("qkv");
  op.heads = args.i32("heads");
  op.scale = args.f32("scale");
  op.window = args.i32("window");
  op.layer = args.i32("layer");
  op.kv = args.kv("kv");
  op.y = args.rows("y");
  op.workspace = args.f32s("workspace");
  op.workspace_bytes = args.count("workspace") * 4;
  return with(table.attention, op);
}

Call rope_kv(const cpu::KernelTable& table, const Args& args, StepSequences sequences) {
  RopeKv op;
  op.sequences = sequences;
  op.qkv = args.rows("qkv");
  op.table = args.rows("table");
  op.heads = args.i32("heads");
  op.rotary_dim = args.i32("rotaryDim");
  op.q_norm = args.f32s("qNorm");
  op.k_norm = args.f32s("kNorm");
  op.eps = args.f32("eps");
  op.interleaved = args.flag("interleaved");
  op.layer = args.i32("layer");
  op.kv = args.kv("kv");
  return with(table.rope_kv, op);
}

// Results as arrays of [rows]: id, logprob, stop, topCount, and [rows][20]: topId, topLogprob.
void give_results(const Args& args, const std::vector<SampleResult>& results) {
  for (size_t i = 0; i < results.size(); ++i) {
    const SampleResult& r = results[i];
    args.i32s("id")[i] = r.id;
    args.f32s("logprob")[i] = r.logprob;
    args.i32s("stop")[i] = r.stop;
    args.i32s("topCount")[i] = r.top_count;
    for (int n = 0; n < r.top_count; ++n) {
      args.i32s("topId")[i * kMaxTopLogprobs + n] = r.top_id[n];
      args.f32s("topLogprob")[i * kMaxTopLogprobs + n] = r.top_logprob[n];
    }
  }
}

double run_sample(const cpu::KernelTable& table, const Args& args, int threads, int repeat) {
  std::vector<SequenceSlot> slots = args.slots("slots");
  Sample op;
  op.logits = args.rows("logits");
  std::vector<SampleResult> results(op.logits.rows);
  op.slot = args.i32s("slot");
  op.position = args.i32s("position");
  op.target = args.i32s("target");
  op.slots = slots.data();
  op.last_sampled = args.i32s("lastSampled");
  op.results = results.data();
  const double ns = run(with(table.sample, op), threads, repeat);
  give_results(args, results);
  args.give_slots("slots", slots);
  return ns;
}

double run_pool(const cpu::KernelTable& table, const Args& args, StepSequences sequences, int threads) {
  std::vector<SequenceSlot> slots = args.slots("slots");
  const Pool op{sequences, args.i32s("slot"), args.rows("x"), args.flag("mean"), slots.data()};
  const double ns = run(with(table.pool, op), threads, 1);
  args.give_slots("slots", slots);
  return ns;
}

double run_op(const std::string& name, const Args& args, const cpu::KernelTable& table, int threads, int repeat) {
  std::vector<int32_t> of_token;
  const StepSequences sequences = args.sequences("sequences", of_token);
  if (name == "sample") return run_sample(table, args, threads, repeat);
  if (name == "pool") return run_pool(table, args, sequences, threads);
  Call call;
  if (name == "embed") call = embed(table, args);
  if (name == "rms_norm") call = rms_norm(table, args);
  if (name == "quantize") call = with(table.quantize, Quantize{args.rows("x"), args.rows("y")});
  if (name == "linear") call = linear(table, args);
  if (name == "gated_linear") call = gated_linear(table, args);
  if (name == "swiglu") call = with(table.swiglu, SwiGlu{args.rows("x"), args.rows("y")});
  if (name == "add") call = with(table.add, Add{args.rows("x"), args.rows("y")});
  if (name == "rope_table")
    call = with(table.rope_table, RopeTable{sequences, args.f32s("invFreq"), args.f32("scale"), args.rows("y")});
  if (name == "rope_kv") call = rope_kv(table, args, sequences);
  if (name == "attention") call = attention(table, args, sequences);
  KV_CHECK(call, "KV_ARGUMENT", "no op is called ", name);
  return run(call, threads, repeat);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("isas", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
                Napi::Array names = Napi::Array::New(info.Env());
                for (const auto* table : tables()) names.Set(names.Length(), table->isa);
                return names;
              }));
  exports.Set("philox", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
                auto words = info[0].As<Napi::Uint32Array>();  // counter, then key; the draw goes over the counter
                const auto draw = cpu::philox({words[0], words[1], words[2], words[3]}, {words[4], words[5]});
                std::copy(draw.begin(), draw.end(), words.Data());
                return info[0];
              }));
  exports.Set("run", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
                const Args options(info[2].As<Napi::Object>());
                try {
                  const cpu::KernelTable& table = table_of(options.object().Get("isa").As<Napi::String>());
                  const double ns = run_op(info[0].As<Napi::String>(), Args(info[1].As<Napi::Object>()), table,
                                           options.i32("threads", 1), options.i32("repeat", 1));
                  return Napi::Number::New(info.Env(), ns);
                } catch (const Error& error) {
                  throw Napi::Error::New(info.Env(), error.what());
                }
              }));
  register_grammar(env, exports);
  return exports;
}

}  // namespace
}  // namespace kvasir::test

static Napi::Object init_kernels(Napi::Env env, Napi::Object exports) { return kvasir::test::init(env, exports); }

NODE_API_MODULE(kvasir_kernels, init_kernels)
