#include "native/base/mmap.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "native/base/check.h"

namespace kvasir {
namespace {

// What lies between the end of a file and the end of its last page can be read, but is not ours: AddressSanitizer
// reports who does.
#ifdef __SANITIZE_ADDRESS__
size_t tail_of(size_t size) { return -size & (static_cast<size_t>(sysconf(_SC_PAGESIZE)) - 1); }
void guard_tail(const uint8_t* data, size_t size) { ASAN_POISON_MEMORY_REGION(data + size, tail_of(size)); }
void unguard_tail(const uint8_t* data, size_t size) { ASAN_UNPOISON_MEMORY_REGION(data + size, tail_of(size)); }
#else
void guard_tail(const uint8_t*, size_t) {}
void unguard_tail(const uint8_t*, size_t) {}
#endif

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  KV_CHECK(fd >= 0, errno == ENOENT ? "KV_NOT_FOUND" : "KV_DISK", "cannot open ", path, ": ", std::strerror(errno));
  struct stat info;
  const bool ok = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  void* map = MAP_FAILED;
  if (ok && info.st_size > 0) map = mmap(nullptr, info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  KV_CHECK(ok, "KV_DISK", path, " is not a regular file");
  KV_CHECK(info.st_size > 0, "KV_FORMAT", path, " is empty");
  KV_CHECK(map != MAP_FAILED, "KV_DISK", "cannot map ", path, ": ", std::strerror(errno));
  data_ = static_cast<const uint8_t*>(map);
  size_ = info.st_size;
  guard_tail(data_, size_);
}

MappedFile::~MappedFile() {
  unguard_tail(data_, size_);
  munmap(const_cast<uint8_t*>(data_), size_);
}

void MappedFile::forget(const void* begin, size_t bytes) const {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
  const auto last = (reinterpret_cast<uintptr_t>(begin) + bytes) / page * page;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace kvasir
