// The part of CUDA's driver interface that we call, declared from NVIDIA's documentation of it, so that neither headers nor
// a toolkit are needed to build. Sizes and values are the interface's; names are ours where its own would clash.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kvasir::driver {

using Result = int;
using DeviceId = int;
using Address = unsigned long long;  // of device memory

// Opaque handles, told apart by the compiler.
using ContextHandle = struct ContextTag*;
using StreamHandle = struct StreamTag*;
using EventHandle = struct EventTag*;
using LibraryHandle = struct LibraryTag*;
using KernelHandle = struct KernelTag*;
using FunctionHandle = struct FunctionTag*;
using GraphHandle = struct GraphTag*;
using GraphExecHandle = struct GraphExecTag*;

constexpr Result kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2, kNotInitialized = 3, kDeviceUnavailable = 46,
                 kNoDevice = 100, kInvalidDevice = 101, kInvalidImage = 200, kInvalidContext = 201,
                 kNoBinaryForGpu = 209, kInvalidPtx = 218, kNoJitCompiler = 221, kUnsupportedPtx = 222,
                 kInvalidHandle = 400, kNotFound = 500, kNotReady = 600, kIllegalAddress = 700,
                 kLaunchOutOfResources = 701, kLaunchFailed = 719, kSystemDriverMismatch = 803,
                 kStreamCaptureUnsupported = 900, kStreamCaptureInvalidated = 901;

// CUdevice_attribute
constexpr int kMaxSharedPerBlock = 8, kMultiprocessorCount = 16, kComputeCapabilityMajor = 75,
              kComputeCapabilityMinor = 76, kMaxSharedPerBlockOptin = 97;
// CUfunction_attribute
constexpr int kFunctionMaxDynamicShared = 8;
// CUstream_flags, CUevent_flags, CUstreamCaptureMode, CU_MEMHOSTALLOC_*
constexpr unsigned kStreamNonBlocking = 1, kEventBlockingSync = 1, kEventDisableTiming = 2, kHostAllocPortable = 1;
constexpr int kCaptureThreadLocal = 1;
// CUtensorMapDataType, CUtensorMapL2promotion
constexpr int kTensorU8 = 0, kTensorI32 = 3, kPromoteTo128 = 2;

struct LaunchAttribute {
  int id;
  char pad[4];
  unsigned char value[64];
};

// CUlaunchConfig
struct LaunchConfig {
  unsigned grid_x, grid_y, grid_z;
  unsigned block_x, block_y, block_z;
  unsigned shared_bytes;
  StreamHandle stream;
  LaunchAttribute* attributes;
  unsigned attribute_count;
};
static_assert(sizeof(LaunchAttribute) == 72 && sizeof(LaunchConfig) == 56);

// name, version of the interface whose signature this is (for cuGetProcAddress), parameters
#define KVASIR_DRIVER_FUNCTIONS(X)                                                                                \
  X(cuDriverGetVersion, 2020, (int* version))                                                                     \
  X(cuInit, 2000, (unsigned flags))                                                                               \
  X(cuGetErrorName, 6000, (Result result, const char** name))                                                     \
  X(cuGetErrorString, 6000, (Result result, const char** text))                                                   \
  X(cuDeviceGetCount, 2000, (int* count))                                                                         \
  X(cuDeviceGet, 2000, (DeviceId * device, int ordinal))                                                          \
  X(cuDeviceGetName, 2000, (char* name, int length, DeviceId device))                                             \
  X(cuDeviceGetAttribute, 2000, (int* value, int attribute, DeviceId device))                                     \
  X(cuDeviceTotalMem, 3020, (size_t * bytes, DeviceId device))                                                    \
  X(cuDevicePrimaryCtxRetain, 7000, (ContextHandle * context, DeviceId device))                                   \
  X(cuDevicePrimaryCtxRelease, 11000, (DeviceId device))                                                          \
  X(cuCtxSetCurrent, 4000, (ContextHandle context))                                                               \
  X(cuMemGetInfo, 3020, (size_t * free, size_t * total))                                                          \
  X(cuMemAlloc, 3020, (Address * address, size_t bytes))                                                          \
  X(cuMemFree, 3020, (Address address))                                                                           \
  X(cuMemHostAlloc, 2020, (void** memory, size_t bytes, unsigned flags))                                          \
  X(cuMemFreeHost, 2000, (void* memory))                                                                          \
  X(cuMemcpyHtoDAsync, 3020, (Address to, const void* from, size_t bytes, StreamHandle stream))                   \
  X(cuMemcpyDtoHAsync, 3020, (void* to, Address from, size_t bytes, StreamHandle stream))                         \
  X(cuMemsetD8Async, 3020, (Address to, unsigned char value, size_t bytes, StreamHandle stream))                  \
  X(cuStreamCreate, 2000, (StreamHandle * stream, unsigned flags))                                                \
  X(cuStreamDestroy, 4000, (StreamHandle stream))                                                                 \
  X(cuStreamSynchronize, 2000, (StreamHandle stream))                                                             \
  X(cuStreamBeginCapture, 10010, (StreamHandle stream, int mode))                                                 \
  X(cuStreamEndCapture, 10000, (StreamHandle stream, GraphHandle * graph))                                        \
  X(cuGraphInstantiateWithFlags, 11040, (GraphExecHandle * exec, GraphHandle graph, unsigned long long flags))    \
  X(cuGraphDestroy, 10000, (GraphHandle graph))                                                                   \
  X(cuGraphExecDestroy, 10000, (GraphExecHandle exec))                                                            \
  X(cuGraphLaunch, 10000, (GraphExecHandle exec, StreamHandle stream))                                            \
  X(cuEventCreate, 2000, (EventHandle * event, unsigned flags))                                                   \
  X(cuEventDestroy, 4000, (EventHandle event))                                                                    \
  X(cuEventRecord, 2000, (EventHandle event, StreamHandle stream))                                                \
  X(cuEventQuery, 2000, (EventHandle event))                                                                      \
  X(cuEventSynchronize, 2000, (EventHandle event))                                                                \
  X(cuEventElapsedTime, 2000, (float* milliseconds, EventHandle begin, EventHandle end))                          \
  X(cuLibraryLoadData, 12000,                                                                                     \
    (LibraryHandle * library, const void* image, int* jit_options, void** jit_values, unsigned jit_count,         \
     int* options, void** values, unsigned count))                                                                \
  X(cuLibraryUnload, 12000, (LibraryHandle library))                                                              \
  X(cuLibraryGetKernel, 12000, (KernelHandle * kernel, LibraryHandle library, const char* name))                  \
  X(cuKernelGetFunction, 12000, (FunctionHandle * function, KernelHandle kernel))                                 \
  X(cuFuncSetAttribute, 9000, (FunctionHandle function, int attribute, int value))                                \
  X(cuTensorMapEncodeTiled, 12000,                                                                                \
    (void* map, int type, unsigned rank, void* data, const uint64_t* dims, const uint64_t* strides,               \
     const unsigned* box, const unsigned* element_strides, int interleave, int swizzle, int promotion, int fill)) \
  X(cuLaunchKernelEx, 11060, (const LaunchConfig* config, FunctionHandle function, void** parameters, void** extra))

// Found by name in the library itself: how all others are found. The second is that of CUDA 12 and later.
using GetProcAddress = Result (*)(const char* name, void** function, int version, uint64_t flags);
using GetProcAddressV2 = Result (*)(const char* name, void** function, int version, uint64_t flags, int* status);

}  // namespace kvasir::driver
