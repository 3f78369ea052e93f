// What JavaScript may call. Each part registers its own functions; there is no arithmetic here.
#include <napi.h>

namespace kvasir::binding {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("version", Napi::String::New(env, "0.1.0"));
  return exports;
}

}  // namespace kvasir::binding

static Napi::Object init_addon(Napi::Env env, Napi::Object exports) { return kvasir::binding::init(env, exports); }

NODE_API_MODULE(kvasir, init_addon)
