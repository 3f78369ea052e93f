#include <windows.h>

#include <algorithm>

#include "native/base/check.h"
#include "native/base/scratch_file.h"

namespace kvasir {
namespace {

// Where a read or a write begins; the handle has no place of its own then.
OVERLAPPED at(int64_t offset) {
  OVERLAPPED where = {};
  where.Offset = static_cast<DWORD>(offset);
  where.OffsetHigh = static_cast<DWORD>(offset >> 32);
  return where;
}

DWORD piece(size_t count) { return static_cast<DWORD>(std::min<size_t>(count, 1 << 30)); }

}  // namespace

ScratchFile::ScratchFile(const std::string& folder) {
  wchar_t path[MAX_PATH] = L"", name[MAX_PATH] = L"";
  MultiByteToWideChar(CP_UTF8, 0, folder.c_str(), -1, path, MAX_PATH);
  const bool named = GetTempFileNameW(path, L"kvs", 0, name) != 0;
  file_ = named ? CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, nullptr, CREATE_ALWAYS,
                              FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, nullptr)
                : INVALID_HANDLE_VALUE;
  KV_CHECK(file_ != INVALID_HANDLE_VALUE, "KV_DISK", "cannot make a file in ", folder, ": error ", GetLastError());
}

ScratchFile::~ScratchFile() { CloseHandle(file_); }

void ScratchFile::write(int64_t offset, const uint8_t* bytes, size_t count) const {
  while (count > 0) {
    OVERLAPPED where = at(offset);
    DWORD done = 0;
    const bool ok = WriteFile(file_, bytes, piece(count), &done, &where) && done > 0;
    KV_CHECK(ok, "KV_DISK", "cannot write to the swap file: error ", GetLastError());
    bytes += done, offset += done, count -= done;
  }
}

void ScratchFile::read(int64_t offset, uint8_t* bytes, size_t count) const {
  while (count > 0) {
    OVERLAPPED where = at(offset);
    DWORD done = 0;
    const bool ok = ReadFile(file_, bytes, piece(count), &done, &where) && done > 0;
    KV_CHECK(ok, "KV_DISK", "cannot read from the swap file: error ", GetLastError());
    bytes += done, offset += done, count -= done;
  }
}

}  // namespace kvasir
