// openFile(path) → { size, read(offset, length), close() }: a mapped file behind a handle; bytes are copied out.
#include "native/binding/addon.h"

namespace kvasir::binding {
namespace {

class FileWrap : public Napi::ObjectWrap<FileWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "MappedFile",
                       {InstanceAccessor<&FileWrap::size>("size"), InstanceMethod<&FileWrap::read>("read"),
                        InstanceMethod<&FileWrap::close>("close")});
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
