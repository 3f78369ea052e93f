// A file for bytes that may be lost: it has no name that outlives it, and is gone when it is closed, however the process
// ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace kvasir {

class ScratchFile {
 public:
  // In `folder`. Throws KV_DISK.
  explicit ScratchFile(const std::string& folder);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  // From any thread. Throw KV_DISK: a disk that is full or broken is an error here, and in a mapped file the end of the
  // process.
  void write(int64_t offset, const uint8_t* bytes, size_t count) const;
  void read(int64_t offset, uint8_t* bytes, size_t count) const;

 private:
#ifdef _WIN32
  void* file_;
#else
  int file_;
#endif
};

}  // namespace kvasir
