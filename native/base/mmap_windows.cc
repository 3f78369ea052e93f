#include <windows.h>

#include "native/base/check.h"
#include "native/base/mmap.h"

namespace kvasir {
namespace {

// Paths are UTF-8, as everywhere in Node.
std::wstring wide(const std::string& path) {
  const int length = static_cast<int>(path.size());
  std::wstring text(MultiByteToWideChar(CP_UTF8, 0, path.data(), length, nullptr, 0), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.data(), length, text.data(), static_cast<int>(text.size()));
  return text;
}

// What Windows says of its last error.
std::string reason() {
  const DWORD code = GetLastError();
  char text[256] = "";
  DWORD length = FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, code, 0, text,
                                sizeof(text), nullptr);
  while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r')) --length;
  return length > 0 ? std::string(text, length) : kvasir::text("error ", code);
}

struct Handle {
  HANDLE value;
  ~Handle() {
    if (value && value != INVALID_HANDLE_VALUE) CloseHandle(value);
  }
};

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const Handle file = {CreateFileW(wide(path).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr,
                                   OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr)};
  if (file.value == INVALID_HANDLE_VALUE) {
    const DWORD code = GetLastError();
    const bool missing = code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND;
    KV_CHECK(false, missing ? "KV_NOT_FOUND" : "KV_DISK", "cannot open ", path, ": ", reason());
  }
  LARGE_INTEGER size = {};
  KV_CHECK(GetFileType(file.value) == FILE_TYPE_DISK && GetFileSizeEx(file.value, &size), "KV_DISK", path,
           " is not a regular file");
  KV_CHECK(size.QuadPart > 0, "KV_FORMAT", path, " is empty");
  const Handle mapping = {CreateFileMappingW(file.value, nullptr, PAGE_READONLY, 0, 0, nullptr)};
  KV_CHECK(mapping.value, "KV_DISK", "cannot map ", path, ": ", reason());
  // The view keeps the file open; both handles may go.
  data_ = static_cast<const uint8_t*>(MapViewOfFile(mapping.value, FILE_MAP_READ, 0, 0, 0));
  KV_CHECK(data_, "KV_DISK", "cannot map ", path, ": ", reason());
  size_ = static_cast<size_t>(size.QuadPart);
}

MappedFile::~MappedFile() { UnmapViewOfFile(data_); }

// Windows takes clean pages of a file back by itself when memory is short.
void MappedFile::forget(const void*, size_t) const {}

}  // namespace kvasir
