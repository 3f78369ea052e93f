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
  if (attribute != kFunctionMaxDynamicShared || value < 0 || static_cast<unsigned>(value) > shared_limit())
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
  const auto* argument = static_cast<const unsigned char*>(parameters[0]);
  const KernelEntry* kernel = function->kernel;
  stream->push({[kernel, launch, copy = std::vector<unsigned char>(argument, argument + kernel->argument_bytes)](
                    Stream& stream) { stream.run_kernel(*kernel, launch, copy); },
                true});
  return kSuccess;
}

}  // namespace kvasir::simt::lookalike
