// createProgram(tape), createWeights(list): the two halves of a model, verified once, behind opaque handles.
#include "native/binding/model.h"

#include "native/binding/handle.h"

namespace kvasir::binding {
namespace {

struct ProgramHandle {
  using Value = const Program;
  static constexpr const char* kName = "Program";
  static constexpr napi_type_tag kTag = {0x6b76617369720001, 0x70726f67};
};
struct WeightsHandle {
  using Value = const Weights;
  static constexpr const char* kName = "Weights";
  static constexpr napi_type_tag kTag = {0x6b76617369720001, 0x77656967};
};

Napi::Value create_program(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    KV_CHECK(is_int32_array(info[0]), "KV_ARGUMENT", "createProgram: expected the tape as an Int32Array");
    const auto words = info[0].As<Napi::Int32Array>();
    auto program = parse_program(words.Data(), words.ElementLength());
    Napi::Object object = make_handle<ProgramHandle>(info.Env(), program);
    object.Set("instructions", static_cast<double>(program->instructions()));
    object.Set("arenaBytes", static_cast<double>(program->arena_bytes()));
    return object;
  });
}

// One weight: rows of a mapped file, or a Float32Array that is copied.
void add_weight(Weights& weights, Napi::Object from, const std::string& where) {
  Weight weight;
  weight.dtype = static_cast<Dtype>(from.Get("dtype").ToNumber().Int32Value());
  weight.rows = from.Get("rows").ToNumber().Int32Value();
  weight.cols = from.Get("cols").ToNumber().Int32Value();
  const Block block = block_of(weight.dtype);
  KV_CHECK(block.values > 0 && weight.rows > 0 && weight.cols > 0 && weight.cols % block.values == 0, "KV_FORMAT",
           where, ": ", weight.rows, " × ", weight.cols, " does not fit format ", static_cast<int>(weight.dtype));
  weight.row_bytes = row_bytes(weight.dtype, weight.cols);

  const Napi::Value data = from.Get("data");
  if (data.IsTypedArray()) {
    KV_CHECK(data.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array && weight.dtype == Dtype::f32,
             "KV_ARGUMENT", where, ": data must be a Float32Array of a f32 weight");
    const auto values = data.As<Napi::Float32Array>();
    KV_CHECK(static_cast<int64_t>(values.ElementLength()) == int64_t{weight.rows} * weight.cols, "KV_ARGUMENT", where,
             ": ", values.ElementLength(), " values for ", weight.rows, " × ", weight.cols);
    auto owned = std::make_shared<std::vector<float>>(values.Data(), values.Data() + values.ElementLength());
    weight.data = reinterpret_cast<const uint8_t*>(owned->data());
    weights.keep_alive.push_back(owned);
  } else {
    const auto file = file_of(from.Get("file"));
    const double offset = from.Get("offset").ToNumber().DoubleValue();
    const double bytes = static_cast<double>(weight.row_bytes) * weight.rows;
    KV_CHECK(offset >= 0 && offset + bytes <= static_cast<double>(file->size()), "KV_FORMAT", where, ": bytes ", offset,
             " to ", offset + bytes, " lie outside a file of ", file->size());
    weight.data = file->data() + static_cast<size_t>(offset);
    weights.keep_alive.push_back(file);
  }
  weights.list.push_back(weight);
}

Napi::Value create_weights(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    KV_CHECK(info[0].IsArray(), "KV_ARGUMENT", "createWeights: expected an array");
    const auto list = info[0].As<Napi::Array>();
    auto weights = std::make_shared<Weights>();
    for (uint32_t i = 0; i < list.Length(); ++i) {
      Napi::HandleScope scope(info.Env());
      KV_CHECK(list.Get(i).IsObject(), "KV_ARGUMENT", "weight ", i, ": expected an object");
      add_weight(*weights, list.Get(i).As<Napi::Object>(), text("weight ", i));
    }
    double bytes = 0;
    for (const Weight& weight : weights->list) bytes += static_cast<double>(weight.row_bytes) * weight.rows;
    Napi::Object object = make_handle<WeightsHandle>(info.Env(), std::move(weights));
    object.Set("bytes", bytes);
    return object;
  });
}

}  // namespace

std::shared_ptr<const Program> program_of(Napi::Value value) { return unwrap_handle<ProgramHandle>(value); }
std::shared_ptr<const Weights> weights_of(Napi::Value value) { return unwrap_handle<WeightsHandle>(value); }

void register_model(Napi::Env env, Napi::Object exports) {
  define_handle<ProgramHandle>(env, exports);
  define_handle<WeightsHandle>(env, exports);
  exports.Set("createProgram", Napi::Function::New(env, create_program));
  exports.Set("createWeights", Napi::Function::New(env, create_weights));
}

}  // namespace kvasir::binding
