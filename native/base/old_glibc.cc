// Lets an addon that is built on a new glibc load on the oldest one that Node itself runs on (2.28). A linked symbol asks
// for the version that the builder's glibc gives it, though older versions of it do the same and are still there. Each
// function here takes the place of one such symbol, inside the addon only (native/binding/exports.map), for our code and
// for the libstdc++ in it. test/boundary/symbols.test.ts says when a symbol is missing here.
#include <features.h>
#ifdef __GLIBC__
#include <dlfcn.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#if defined(__x86_64__)
#define FIRST_VERSION "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define FIRST_VERSION "GLIBC_2.17"
#endif

#ifdef FIRST_VERSION
// glibc declares that pthread_setspecific does not read through its argument; gcc takes that for reading nothing.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

// A function `name` that calls the one of glibc's first version for this processor.
#define FORWARD(type, name, parameters, ...)                    \
  type first_##name parameters;                                 \
  __asm__(".symver first_" #name ", " #name "@" FIRST_VERSION); \
  type name parameters { return first_##name(__VA_ARGS__); }

extern "C" {
FORWARD(double, log, (double x), x)
FORWARD(double, exp, (double x), x)
FORWARD(double, pow, (double x, double y), x, y)

// In libc since 2.34, before that in libpthread.
FORWARD(int, pthread_create, (pthread_t * thread, const pthread_attr_t* attr, void* (*run)(void*), void* arg), thread,
        attr, run, arg)
FORWARD(int, pthread_join, (pthread_t thread, void** result), thread, result)
FORWARD(int, pthread_detach, (pthread_t thread), thread)
FORWARD(int, pthread_once, (pthread_once_t * once, void (*run)()), once, run)
FORWARD(int, pthread_key_create, (pthread_key_t * key, void (*destroy)(void*)), key, destroy)
FORWARD(int, pthread_key_delete, (pthread_key_t key), key)
FORWARD(void*, pthread_getspecific, (pthread_key_t key), key)
FORWARD(int, pthread_setspecific, (pthread_key_t key, const void* value), key, value)

// In libc since 2.34, before that in libdl.
FORWARD(void*, dlopen, (const char* path, int flags), path, flags)
FORWARD(void*, dlsym, (void* library, const char* name), library, name)
FORWARD(char*, dlerror, (), )
FORWARD(int, dlclose, (void* library), library)

// 2.32. libstdc++ counts references without atomics while it is true; false is always right.
char __libc_single_threaded = 0;

// 2.33; an inline function of the headers before.
int fstat(int fd, struct stat* status) { return static_cast<int>(syscall(SYS_fstat, fd, status)); }
int fstat64(int fd, struct stat64* status) { return static_cast<int>(syscall(SYS_fstat, fd, status)); }

// Not for its age: a process with an allocator of its own (Electron 9's tcmalloc) may have free() of that one and
// aligned_alloc() of glibc. posix_memalign() is in every such allocator.
void* aligned_alloc(size_t alignment, size_t size) {
  void* block = nullptr;
  return posix_memalign(&block, alignment < sizeof(void*) ? sizeof(void*) : alignment, size) == 0 ? block : nullptr;
}

// 2.36, for std::random_device.
uint32_t arc4random() {
  uint32_t value;
  if (getentropy(&value, sizeof(value)) != 0) abort();
  return value;
}
}
#endif
#endif
