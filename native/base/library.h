// A library opened at run time.
#pragma once

#include <string>

#if defined(_WIN32)
#define NOMINMAX
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace kvasir {

// Null, and the system's reason, when it does not open.
inline void* open_library(const std::string& path, std::string* reason) {
#if defined(_WIN32)
  void* library = LoadLibraryA(path.c_str());
  if (!library) *reason = path + ": error " + std::to_string(GetLastError());
#else
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  const char* error = library ? nullptr : dlerror();
  if (!library) *reason = error ? error : path;
#endif
  return library;
}

inline void* symbol_of(void* library, const char* name) {
#if defined(_WIN32)
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
#else
  return dlsym(library, name);
#endif
}

inline void close_library(void* library) {
#if defined(_WIN32)
  FreeLibrary(static_cast<HMODULE>(library));
#else
  dlclose(library);
#endif
}

}  // namespace kvasir
