// The machine: versions, errors, cards and their contexts.
#include "native/simt/lookalike/calls.h"

#include <cstdio>

namespace kvasir::simt::lookalike {
unsigned shared_limit(int device) {
  switch (settings().compute_capability(device)) {
    case 80:
      return 163 << 10;
    case 90:
      return 227 << 10;
    default:
      return 99 << 10;
  }
}

Result cuDriverGetVersion(int* version) {
  if (!version) return kInvalidValue;
  *version = settings().driver_version;
  return kSuccess;
}

Result cuInit(unsigned flags) {
  if (flags != 0) return kInvalidValue;
  if (settings().init_result != kSuccess) return settings().init_result;
  initialised = true;
  return kSuccess;
}

namespace {

struct ErrorName {
  Result result;
  const char *name, *words;
};
constexpr ErrorName kErrors[] = {
    {kSuccess, "CUDA_SUCCESS", "no error"},
    {kInvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {kNotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {kNoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {kInvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {kInvalidImage, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {kInvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {kNoBinaryForGpu, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {kInvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {kNotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {kNotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    {kIllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {kLaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {kSystemDriverMismatch, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
     "system has unsupported display driver / cuda driver combination"},
    {kStreamCaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
    {kStreamCaptureInvalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
};

}  // namespace

Result cuGetErrorName(Result result, const char** name) {
  for (const ErrorName& error : kErrors)
    if (error.result == result) return *name = error.name, kSuccess;
  return kInvalidValue;
}
Result cuGetErrorString(Result result, const char** words) {
  for (const ErrorName& error : kErrors)
    if (error.result == result) return *words = error.words, kSuccess;
  return kInvalidValue;
}

Result cuDeviceGetCount(int* count) {
  NEED_INIT();
  *count = settings().devices;
  return kSuccess;
}
Result cuDeviceGet(DeviceId* device, int ordinal) {
  NEED_INIT();
  if (!device_at(ordinal)) return kInvalidDevice;
  *device = ordinal;
  return kSuccess;
}
Result cuDeviceGetName(char* name, int length, DeviceId device) {
  NEED_INIT();
  if (!device_at(device)) return kInvalidDevice;
  std::snprintf(name, length, "Emulated card %d", device);
  return kSuccess;
}
Result cuDeviceGetAttribute(int* value, int attribute, DeviceId device) {
  NEED_INIT();
  if (!device_at(device)) return kInvalidDevice;
  switch (attribute) {
    case kComputeCapabilityMajor:
      return *value = settings().compute_capability(device) / 10, kSuccess;
    case kComputeCapabilityMinor:
      return *value = settings().compute_capability(device) % 10, kSuccess;
    case kMultiprocessorCount:
      return *value = 8, kSuccess;
    case kMaxSharedPerBlock:
      return *value = 48 << 10, kSuccess;
    case kMaxSharedPerBlockOptin:
      return *value = static_cast<int>(shared_limit(device)), kSuccess;
    default:
      return kInvalidValue;
  }
}
Result cuDeviceTotalMem(size_t* bytes, DeviceId device) {
  NEED_INIT();
  if (!device_at(device)) return kInvalidDevice;
  *bytes = settings().memory;
  return kSuccess;
}

Result cuDevicePrimaryCtxRetain(ContextHandle* context, DeviceId id) {
  NEED_INIT();
  Device* device = device_at(id);
  if (!device) return kInvalidDevice;
  device->retain();
  *context = reinterpret_cast<ContextHandle>(device);
  return kSuccess;
}
Result cuDevicePrimaryCtxRelease(DeviceId id) {
  NEED_INIT();
  Device* device = device_at(id);
  if (!device || !device->in_use()) return kInvalidContext;
  device->release_user();
  return kSuccess;
}
Result cuCtxSetCurrent(ContextHandle context) {
  NEED_INIT();
  auto* device = reinterpret_cast<Device*>(context);
  if (device && !device->in_use()) return kInvalidContext;
  current = device;
  return kSuccess;
}

}  // namespace kvasir::simt::lookalike
