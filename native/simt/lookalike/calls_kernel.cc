// Libraries of kernels and their launches.
#include <cstring>

#include "native/base/check.h"
#include "native/simt/lookalike/calls.h"

namespace kvasir::simt::lookalike {
Result cuLibraryLoadData(LibraryHandle* handle, const void* image, int*, void**, unsigned, int*, void**, unsigned) {
  NEED_CONTEXT();
  FORBID_CAPTURE();
  if (!image || std::strncmp(static_cast<const char*>(image), kImageMagic.data(), kImageMagic.size()) != 0)
    return kInvalidImage;
  auto library = std::make_unique<Library>();
  library->device = current;
  library->names = static_cast<const char*>(image) + kImageMagic.size();
  ++current->live_objects;
  *handle = libraries.add<LibraryHandle>(std::move(library));
  return kSuccess;
}
Result cuLibraryUnload(LibraryHandle handle) {
  NEED_INIT();
  auto library = libraries.take(handle);
  if (!library) return kInvalidHandle;
  for (auto& function : library->functions) functions.take(function.get()).release();
  --library->device->live_objects;
  return kSuccess;
}
Result cuLibraryGetKernel(KernelHandle* handle, LibraryHandle from, const char* name) {
  NEED_CONTEXT();
  FIND(library, libraries, from);
  const KernelEntry* kernel = find_kernel(name);
  const bool listed =
      library->names == "*\n" || ("\n" + library->names).find(text("\n", name, "\n")) != std::string::npos;
  if (!kernel || !listed) return kNotFound;
  auto function = std::make_unique<Function>(Function{kernel});
  *handle = functions.add<KernelHandle>(std::unique_ptr<Function>(function.get()));
  library->functions.push_back(std::move(function));
  return kSuccess;
}
Result cuKernelGetFunction(FunctionHandle* handle, KernelHandle kernel) {
  NEED_CONTEXT();
  FORBID_CAPTURE();  // it may load the module
  FIND(function, functions, kernel);
  *handle = reinterpret_cast<FunctionHandle>(function);
  return kSuccess;
}
Result cuFuncSetAttribute(FunctionHandle handle, int attribute, int value) {
  NEED_CONTEXT();
  FIND(function, functions, handle);
  if (attribute != kFunctionMaxDynamicShared || value < 0 ||
      static_cast<unsigned>(value) > shared_limit(current->index))
    return kInvalidValue;
  function->shared_allowed = static_cast<unsigned>(value);
  return kSuccess;
}

Result cuLaunchKernelEx(const LaunchConfig* config, FunctionHandle handle, void** parameters, void** extra) {
  NEED_CONTEXT();
  FIND(function, functions, handle);
  FIND(stream, streams, config->stream);
  const unsigned long long threads = 1ull * config->block_x * config->block_y * config->block_z;
  const bool grid = config->grid_x && config->grid_y && config->grid_z && config->grid_x <= 0x7FFFFFFF &&
                    config->grid_y <= 65535 && config->grid_z <= 65535;
  if (!grid || threads == 0 || threads > 1024 || config->shared_bytes > function->shared_allowed || !parameters ||
      extra)
    return kInvalidValue;
  const Launch launch = {.grid = {config->grid_x, config->grid_y, config->grid_z},
                         .block = {config->block_x, config->block_y, config->block_z},
                         .shared_bytes = config->shared_bytes};
  const KernelEntry* kernel = function->kernel;
  Argument argument(kernel->argument_bytes / sizeof(ArgumentPart) + 1);
  std::memcpy(static_cast<void*>(argument.data()), parameters[0], kernel->argument_bytes);
  stream->push({[kernel, launch, argument](Stream& stream) { stream.run_kernel(*kernel, launch, argument); }, true});
  return kSuccess;
}

// The limits that the documentation states; of what we use, two dimensions, whole elements and no interleaving.
Result cuTensorMapEncodeTiled(void* map, int type, unsigned rank, void* data, const uint64_t* dims,
                              const uint64_t* strides, const unsigned* box, const unsigned* element_strides,
                              int interleave, int swizzle, int promotion, int fill) {
  NEED_INIT();
  if (!map || reinterpret_cast<uintptr_t>(map) % 64 || (type != kTensorU8 && type != kTensorI32) || rank != 2 ||
      interleave || swizzle < 0 || swizzle > 3 || promotion < 0 || promotion > 3 || fill || element_strides[0] != 1 ||
      element_strides[1] != 1)
    return kInvalidValue;
  const MapFields fields = {.element_bytes = type == kTensorU8 ? 1u : 4u,
                            .address = reinterpret_cast<uint64_t>(data),
                            .columns = dims[0],
                            .rows = dims[1],
                            .stride = strides[0],
                            .box_columns = box[0],
                            .box_rows = box[1],
                            .swizzle = static_cast<cuda::Swizzle>(swizzle)};
  if (!refusal(fields).empty()) return kInvalidValue;
  *static_cast<cuda::TensorMap*>(map) = encode(fields);
  return kSuccess;
}

}  // namespace kvasir::simt::lookalike
