// openFile(path) → { size, read(offset, length), skipStrings(offset, count), close() }: a mapped file behind a handle;
// bytes are copied out.
#include <cstring>

#include "native/binding/addon.h"

namespace kvasir::binding {
namespace {

// The end of `count` strings, each a u64 length and its bytes, that begin at `offset`.
size_t skip_strings(const MappedFile& file, size_t offset, uint64_t count) {
  const size_t begin = offset;
  for (uint64_t index = 0; index < count; ++index) {
    uint64_t length = 0;
    KV_CHECK(file.size() - offset >= sizeof length, "KV_FORMAT", "the file ends at byte ", file.size(), ", in string ",
             index, " of ", count, ": it is damaged or cut short, download it again");
    std::memcpy(&length, file.data() + offset, sizeof length);
    offset += sizeof length;
    KV_CHECK(length <= file.size() - offset, "KV_FORMAT", "string ", index, " of ", count, " at byte ", offset,
             " needs ", length, " bytes, but the file ends at ", file.size(),
             ": it is damaged or cut short, download it again");
    offset += static_cast<size_t>(length);
  }
  file.forget(file.data() + begin, offset - begin);
  return offset;
}

class FileWrap : public Napi::ObjectWrap<FileWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "MappedFile",
        {InstanceAccessor<&FileWrap::size>("size"), InstanceMethod<&FileWrap::read>("read"),
         InstanceMethod<&FileWrap::skip_strings>("skipStrings"), InstanceMethod<&FileWrap::close>("close")});
  }

  explicit FileWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FileWrap>(info) {
    guarded(info.Env(), [&] {
      KV_CHECK(info[0].IsString(), "KV_ARGUMENT", "openFile: expected a path");
      file = std::make_shared<MappedFile>(info[0].As<Napi::String>().Utf8Value());
    });
    static_cast<Napi::Object>(info.This().As<Napi::Object>()).TypeTag(&kTag);
  }

  static constexpr napi_type_tag kTag = {0x6b76617369720001, 0x66696c65};
  std::shared_ptr<MappedFile> file;

 private:
  Napi::Value size(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), file ? static_cast<double>(file->size()) : 0);
  }

  Napi::Value read(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      KV_CHECK(file, "KV_DISPOSED", "read: the file was closed");
      KV_CHECK(info[0].IsNumber() && info[1].IsNumber(), "KV_ARGUMENT", "read: expected offset and length");
      const double offset = info[0].As<Napi::Number>().DoubleValue();
      const double length = info[1].As<Napi::Number>().DoubleValue();
      const double size = static_cast<double>(file->size());
      KV_CHECK(offset >= 0 && length >= 0 && offset + length <= size, "KV_FORMAT", "bytes ", offset, " to ",
               offset + length, " lie outside a file of ", size);
      auto bytes = Napi::Uint8Array::New(info.Env(), static_cast<size_t>(length));
      std::copy_n(file->data() + static_cast<size_t>(offset), static_cast<size_t>(length), bytes.Data());
      return bytes;
    });
  }

  Napi::Value skip_strings(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      KV_CHECK(file, "KV_DISPOSED", "skipStrings: the file was closed");
      KV_CHECK(info[0].IsNumber() && info[1].IsNumber(), "KV_ARGUMENT", "skipStrings: expected offset and count");
      const double offset = info[0].As<Napi::Number>().DoubleValue();
      const double count = info[1].As<Napi::Number>().DoubleValue();
      const double size = static_cast<double>(file->size());
      KV_CHECK(offset >= 0 && count >= 0 && offset <= size && count <= size / sizeof(uint64_t), "KV_FORMAT", count,
               " strings at byte ", offset, " lie outside a file of ", size);
      return run_async<size_t>(
          info.Env(),
          [held = file, offset = static_cast<size_t>(offset), count = static_cast<uint64_t>(count)] {
            return binding::skip_strings(*held, offset, count);
          },
          [](Napi::Env env, size_t& end) -> Napi::Value { return Napi::Number::New(env, static_cast<double>(end)); });
    });
  }

  void close(const Napi::CallbackInfo&) { file.reset(); }
};

}  // namespace

std::shared_ptr<MappedFile> file_of(Napi::Value value) {
  KV_CHECK(value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&FileWrap::kTag), "KV_ARGUMENT",
           "expected a file made by openFile()");
  auto file = FileWrap::Unwrap(value.As<Napi::Object>())->file;
  KV_CHECK(file, "KV_DISPOSED", "the file was closed");
  return file;
}

void register_file(Napi::Env env, Napi::Object exports) {
  Napi::Function constructor = FileWrap::define(env);
  // Kept by the closure of openFile and so by the exports: a reference in the instance data would outlive its
  // environment and crash Electron at quit.
  exports.Set("MappedFile", constructor);
  exports.Set("openFile", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
                return info.This().As<Napi::Object>().Get("MappedFile").As<Napi::Function>().New({info[0]});
              }));
}

}  // namespace kvasir::binding
