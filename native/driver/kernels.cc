#include "native/driver/kernels.h"

#include <dirent.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace kvasir::driver {
namespace {

// What the driver says of machine code for other cards or for newer drivers, and of PTX that it cannot translate.
bool is_of_no_use(Result result) {
  return result == kNoBinaryForGpu || result == kInvalidImage || result == kInvalidPtx || result == kNoJitCompiler ||
         result == kUnsupportedPtx;
}

constexpr unsigned kSharedByDefault = 48 << 10;  // more has to be asked for

// By opendir: std::filesystem would ask for a newer glibc than the addon may.
std::vector<std::string> fatbins_of(const std::string& folder) {
  std::vector<std::string> paths;
  DIR* directory = opendir(folder.c_str());
  if (!directory) return paths;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(".fatbin")) paths.push_back(folder + "/" + entry->d_name);
  }
  closedir(directory);
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

Kernels::Kernels(ContextPtr context, const std::vector<std::string>& folders)
    : context_(std::move(context)), driver_(context_->driver()) {
  context_->enter();
  for (const std::string& folder : folders) {
    folder_ = folder;
    for (const std::string& path : fatbins_of(folder))
      if (!path.ends_with(".sm_90a.fatbin") || context_->card().compute_capability == 90) load(path);
    if (!libraries_.empty()) return;
  }
  std::string looked;
  for (const std::string& folder : folders) looked += (looked.empty() ? "" : ", ") + folder;
  throw Error("KV_NOT_FOUND", text("this installation has no CUDA kernels (looked for *.fatbin in ", looked,
                                   "): build them with npm run build:cuda, or load with device: 'cpu'"));
}

Kernels::~Kernels() {
  if (!context_->try_enter()) return;
  for (const LibraryHandle library : libraries_) driver_.cuLibraryUnload(library);
}

void Kernels::load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string image((std::istreambuf_iterator<char>(file)), {});
  LibraryHandle library = nullptr;
  const Result result = driver_.cuLibraryLoadData(&library, image.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0);
  KV_CHECK(!is_of_no_use(result), "KV_UNSUPPORTED", path, " holds nothing that this driver can run on ",
           context_->card().name, ": update the driver, build the kernels for this card, or load with device: 'cpu'");
  driver_.check(result, "cuLibraryLoadData");
  libraries_.push_back(library);
}

KernelHandle Kernels::look_up(const char* name) const {
  KernelHandle kernel = nullptr;
  for (const LibraryHandle library : libraries_)
    if (!kernel && driver_.cuLibraryGetKernel(&kernel, library, name) != kSuccess) kernel = nullptr;
  return kernel;
}

bool Kernels::has(const char* name) const { return look_up(name) != nullptr; }

FunctionHandle Kernels::find(const char* name, unsigned shared_bytes) {
  auto known = functions_.find(std::string_view(name));
  if (known == functions_.end()) {
    const KernelHandle kernel = look_up(name);
    KV_CHECK(kernel, "KV_UNSUPPORTED", folder_, " has no kernel ", name, ": build the kernels of this version");
    Function function{.handle = nullptr, .shared_bytes = kSharedByDefault};
    const Result result = driver_.cuKernelGetFunction(&function.handle, kernel);
    KV_CHECK(!is_of_no_use(result), "KV_UNSUPPORTED", "kernel ", name, " was not compiled for ", context_->card().name,
             " or wants a newer driver: build the kernels for this card, update the driver, or load with device: "
             "'cpu'");
    driver_.check(result, "cuKernelGetFunction");
    known = functions_.emplace(name, function).first;
  }
  Function& function = known->second;
  if (shared_bytes > function.shared_bytes) {
    KV_CUDA(driver_, cuFuncSetAttribute, function.handle, kFunctionMaxDynamicShared, static_cast<int>(shared_bytes));
    function.shared_bytes = shared_bytes;
  }
  return function.handle;
}

}  // namespace kvasir::driver
