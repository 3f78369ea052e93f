#include "native/base/scratch_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "native/base/check.h"

namespace kvasir {
namespace {

int open_nameless(const std::string& folder) {
#ifdef O_TMPFILE
  const int file = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file >= 0) return file;  // not every file system can
#endif
  std::string name = folder + "/kvasir-swap-XXXXXX";
  const int named = mkstemp(name.data());
  if (named < 0) return -1;
  unlink(name.c_str());
  fcntl(named, F_SETFD, FD_CLOEXEC);
  return named;
}

}  // namespace

ScratchFile::ScratchFile(const std::string& folder) : file_(open_nameless(folder)) {
  KV_CHECK(file_ >= 0, "KV_DISK", "cannot make a file in ", folder, ": ", std::strerror(errno));
}

ScratchFile::~ScratchFile() { close(file_); }

void ScratchFile::write(int64_t offset, const uint8_t* bytes, size_t count) const {
  while (count > 0) {
    const ssize_t done = pwrite(file_, bytes, count, offset);
    if (done < 0 && errno == EINTR) continue;
    KV_CHECK(done > 0, "KV_DISK", "cannot write to the swap file: ", std::strerror(errno));
    bytes += done, offset += done, count -= done;
  }
}

void ScratchFile::read(int64_t offset, uint8_t* bytes, size_t count) const {
  while (count > 0) {
    const ssize_t done = pread(file_, bytes, count, offset);
    if (done < 0 && errno == EINTR) continue;
    KV_CHECK(done > 0, "KV_DISK", "cannot read from the swap file: ", done < 0 ? std::strerror(errno) : "it is short");
    bytes += done, offset += done, count -= done;
  }
}

}  // namespace kvasir
