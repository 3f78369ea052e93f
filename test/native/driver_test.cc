// native/driver over the look-alike: what the real driver promises and refuses, each case a line "name: ok" or what was
// found instead. One argument names a case; without it all run that leave the card working.
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <numeric>

#include "native/cuda/contract.h"
#include "native/driver/kernels.h"
#include "native/driver/stream.h"

using namespace kvasir;
using namespace kvasir::driver;

namespace {

struct Machine {
  ContextPtr context = std::make_shared<Context>(Driver::open(), 0);
  Stream stream{context};
  Kernels kernels{context, {std::getenv("KVASIR_CUDA_KERNELS")}};

  // y += x, both [1, values].
  void add(uint8_t* x, uint8_t* y, int values) {
    const Add op{.x = {x, Dtype::f32, 1, values, values * 4}, .y = {y, Dtype::f32, 1, values, values * 4}};
    const cuda::Launch launch = cuda::plan(op, {}).launch[0];
    stream.launch(kernels.find(launch.kernel, 0), {launch.grid.x, launch.grid.y, 1}, {launch.block.x, 1, 1}, 0, &op);
  }
  float first(const DeviceMemory& memory) {
    float value = 0;
    stream.copy_out(&value, memory.data(), sizeof value);
    stream.wait();
    return value;
  }
};

// The message of what `body` throws, or "".
std::string refused(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void expect(bool condition, const std::string& found) {
  if (!condition) throw Error("INTERNAL", "found " + found);
}
void expect_refused(const std::function<void()>& body, const char* words) {
  const std::string message = refused(body);
  expect(message.find(words) != std::string::npos, message.empty() ? "no error" : message);
}

const std::vector<float> kOnes(1000, 1.0f);

void graph(Machine& m) {
  DeviceMemory x(m.context, 4000), y(m.context, 4000);
  m.stream.copy_in(x.data(), kOnes.data(), 4000);
  m.stream.zero(y.data(), 4000);
  m.add(x.data(), y.data(), 1000);
  const Graph graph = m.stream.capture([&] { m.add(x.data(), y.data(), 1000); });
  expect(m.first(y) == 1, text(m.first(y), " after the recording"));  // which did nothing
  for (int i = 0; i < 3; ++i) m.stream.launch(graph);
  expect(m.first(y) == 4, text(m.first(y), " after three replays"));
}

void order(Machine& m) {
  // Pinned memory is read when the copy's turn has come, pageable memory during the call.
  DeviceMemory x(m.context, 4000), y(m.context, 4000);
  m.stream.zero(y.data(), 4000);
  m.stream.copy_in(x.data(), kOnes.data(), 4000);
  PinnedMemory pinned(m.context, 4);
  std::vector<float> pageable = {5};
  for (int i = 0; i < 2000; ++i) m.add(x.data(), y.data(), 1000);  // takes a while
  auto* value = reinterpret_cast<float*>(pinned.data());
  *value = 5;
  m.stream.copy_in(x.data(), value, 4);
  m.stream.copy_in(x.data() + 4, pageable.data(), 4);
  *value = 7;
  pageable[0] = 7;
  float out[2] = {};
  m.stream.copy_out(out, x.data(), 8);
  m.stream.wait();
  expect(out[0] == 7 && out[1] == 5, text(out[0], " and ", out[1]));
}

void events(Machine& m) {
  const Event begin(m.context, Event::kTimed), end(m.context, Event::kTimed);
  DeviceMemory x(m.context, 4000), y(m.context, 4000);
  m.stream.record(begin);
  for (int i = 0; i < 100; ++i) m.add(x.data(), y.data(), 1000);
  m.stream.record(end);
  end.wait();
  expect(end.milliseconds_since(begin) > 0, text(end.milliseconds_since(begin), " ms"));
}

void arguments(Machine& m) {
  DeviceMemory x(m.context, 256);
  std::vector<uint8_t> bytes(512);
  expect_refused([&] { m.stream.copy_in(x.data(), bytes.data(), 257); }, "cuMemcpyHtoDAsync: CUDA_ERROR_INVALID_VALUE");
  expect_refused([&] { m.stream.copy_out(bytes.data(), x.data() - 1, 2); }, "CUDA_ERROR_INVALID_VALUE (1");
  expect_refused([&] { DeviceMemory(m.context, size_t{1} << 40); }, "cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (2");
  expect_refused([&] { m.kernels.find("no_such_kernel", 0); }, "has no kernel no_such_kernel");
  expect_refused([&] { m.kernels.find("add", 164 << 10); }, "cuFuncSetAttribute: CUDA_ERROR_INVALID_VALUE");
  const FunctionHandle add = m.kernels.find("add", 0);
  const Add op{};
  expect_refused(
      [&] {
        m.stream.launch(add, {0, 1, 1}, {128, 1, 1}, 0, &op);
      },
      "cuLaunchKernelEx: CUDA_ERROR_INVALID_VALUE");
  expect_refused([&] { m.stream.launch(add, {1, 1, 1}, {1056, 1, 1}, 0, &op); }, "CUDA_ERROR_INVALID_VALUE");
  expect_refused([&] { m.stream.launch(add, {1, 70000, 1}, {128, 1, 1}, 0, &op); }, "CUDA_ERROR_INVALID_VALUE");
  expect_refused([&] { m.stream.launch(add, {1, 1, 1}, {128, 1, 1}, 49 << 10, &op); }, "CUDA_ERROR_INVALID_VALUE");
  m.stream.launch(m.kernels.find("add", 64 << 10), {1, 1, 1}, {128, 1, 1}, 64 << 10, &op);  // asked for, so allowed
}

void capture(Machine& m) {
  DeviceMemory x(m.context, 256);
  expect_refused([&] { m.stream.capture([&] { DeviceMemory(m.context, 256); }); },
                 "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED");
  expect_refused([&] { m.stream.capture([&] { refused([&] { m.stream.wait(); }); }); },
                 "cuStreamEndCapture: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
  m.stream.zero(x.data(), 256);
  expect(m.first(x) == 0, "no way back from a failed recording");
}

// The two that end a card.
void overrun(Machine& m) {
  DeviceMemory x(m.context, 4096), y(m.context, 4096);
  m.add(x.data(), y.data(), 2048);
  expect_refused([&] { m.stream.wait(); }, "CUDA_ERROR_ILLEGAL_ADDRESS (700");
  expect_refused([&] { m.stream.zero(x.data(), 4); }, "CUDA_ERROR_ILLEGAL_ADDRESS");
}
void host_pointer(Machine& m) {
  DeviceMemory x(m.context, 4096);
  m.add(nullptr, x.data(), 16);
  expect_refused([&] { m.stream.wait(); }, "CUDA_ERROR_ILLEGAL_ADDRESS");
}

}  // namespace

int main(int count, char** names) {
  const std::map<std::string, void (*)(Machine&)> harmless = {
      {"graph", graph}, {"order", order}, {"events", events}, {"arguments", arguments}, {"capture", capture}};
  const std::map<std::string, void (*)(Machine&)> fatal = {{"overrun", overrun}, {"null", host_pointer}};
  for (const auto& [name, body] : count > 1 ? fatal : harmless) {
    if (count > 1 && name != names[1]) continue;
    try {
      Machine machine;
      body(machine);
      std::printf("%s: ok\n", name.c_str());
    } catch (const Error& error) {
      std::printf("%s: %s\n", name.c_str(), error.what());
    }
  }
}
