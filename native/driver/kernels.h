// The kernels that were compiled for this card: every .fatbin of a folder, each function found by its name. Files that end in
// .sm_90a.fatbin are for compute capability 9.0 alone.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "native/driver/context.h"

namespace kvasir::driver {

class Kernels {
 public:
  // Throws KV_NOT_FOUND when none of `folders` has kernels, KV_UNSUPPORTED when the driver cannot use them.
  Kernels(ContextPtr context, const std::vector<std::string>& folders);
  ~Kernels();
  Kernels(const Kernels&) = delete;

  bool has(const char* name) const;
  // Throws KV_UNSUPPORTED when there is no such kernel for this card. `shared_bytes`: that it will be launched with.
  FunctionHandle find(const char* name, unsigned shared_bytes);

 private:
  struct Function {
    FunctionHandle handle = nullptr;
    unsigned shared_bytes = 0;  // allowed so far
  };
  void load(const std::string& path);
  KernelHandle look_up(const char* name) const;

  ContextPtr context_;
  const Driver& driver_;
  std::string folder_;
  std::vector<LibraryHandle> libraries_;
  std::map<std::string, Function, std::less<>> functions_;
};

}  // namespace kvasir::driver
