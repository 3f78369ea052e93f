#include "native/base/mmap.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "native/base/check.h"

namespace kvasir {

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
}

MappedFile::~MappedFile() { munmap(const_cast<uint8_t*>(data_), size_); }

}  // namespace kvasir
