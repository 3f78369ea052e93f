// createTokenizer(source) → Promise of { vocabSize, bos, eos, encode, decode, idOf, isSpecial }, see lib/native.ts.
// Loading and encoding run on the background thread; text crosses as UTF-8, ids as Int32Array, both copied.
#include "native/binding/tokenizer.h"

#include <algorithm>

#include "native/binding/handle.h"
#include "native/tokenizer/unicode.h"

namespace kvasir::binding {
namespace {

using Shared = std::shared_ptr<tokenizer::Tokenizer>;

// What the functions of one JavaScript object share; empty after close().
using Held = std::shared_ptr<Shared>;

struct TokenizerHandle {
  using Value = Shared;
  static constexpr const char* kName = "Tokenizer";
  static constexpr napi_type_tag kTag = {0x6b76617369720001, 0x746f6b65};
};

struct Source {
  bool json = false;
  std::shared_ptr<MappedFile> file;
  tokenizer::GgufVocabulary gguf;
  tokenizer::Settings settings;

  // A tokenizer copies what it needs, so the text in the file, megabytes of it, is read this once.
  Shared load() const {
    const std::string_view bytes(reinterpret_cast<const char*>(file->data()), file->size());
    Shared loaded = json ? tokenizer::load_json(bytes, settings) : tokenizer::load_gguf(gguf, settings);
    for (const std::string_view text : {json ? bytes : gguf.tokens.bytes, gguf.merges.bytes})
      file->forget(text.data(), text.size());
    return loaded;
  }
};

std::string string_of(Napi::Object source, const char* name) {
  const Napi::Value value = source.Get(name);
  if (value.IsUndefined()) return {};
  KV_CHECK(value.IsString(), "KV_ARGUMENT", "createTokenizer: ", name, ": expected a string");
  return value.As<Napi::String>().Utf8Value();
}

int32_t id_of(Napi::Object source, const char* name) {
  const Napi::Value value = source.Get(name);
  if (value.IsUndefined()) return -1;
  KV_CHECK(value.IsNumber(), "KV_ARGUMENT", "createTokenizer: ", name, ": expected a token id");
  const double id = value.As<Napi::Number>().DoubleValue();
  KV_CHECK(id >= -1 && id < tokenizer::kMaxVocab && id == static_cast<int32_t>(id), "KV_ARGUMENT",
           "createTokenizer: ", name, " is ", id, ": expected a token id");
  return static_cast<int32_t>(id);
}

tokenizer::Settings::Choice choice_of(Napi::Object source, const char* name) {
  using Choice = tokenizer::Settings::Choice;
  const Napi::Value value = source.Get(name);
  if (value.IsUndefined()) return Choice::unset;
  KV_CHECK(value.IsBoolean(), "KV_ARGUMENT", "createTokenizer: ", name, ": expected true or false");
  return value.As<Napi::Boolean>() ? Choice::yes : Choice::no;
}

tokenizer::StringArray strings_of(Napi::Object source, const char* name, const MappedFile& file) {
  const Napi::Value value = source.Get(name);
  if (value.IsUndefined()) return {};
  KV_CHECK(value.IsObject(), "KV_ARGUMENT", "createTokenizer: ", name, ": expected { offset, count, bytes }");
  const auto number = [&](const char* field) {
    const Napi::Value part = value.As<Napi::Object>().Get(field);
    const double number = part.IsNumber() ? part.As<Napi::Number>().DoubleValue() : -1;
    KV_CHECK(number >= 0 && number <= 9007199254740991.0, "KV_ARGUMENT", "createTokenizer: ", name, ".", field,
             ": expected a whole number");
    return static_cast<uint64_t>(number);
  };
  const uint64_t offset = number("offset"), bytes = number("bytes");
  KV_CHECK(offset <= file.size() && bytes <= file.size() - offset, "KV_FORMAT", name, ": bytes ", offset, " to ",
           offset + bytes, " lie outside a file of ", file.size());
  return {{reinterpret_cast<const char*>(file.data()) + offset, static_cast<size_t>(bytes)}, number("count")};
}

template <typename Array, typename T>
std::vector<T> array_of(Napi::Object source, const char* name, napi_typedarray_type type) {
  const Napi::Value value = source.Get(name);
  if (value.IsUndefined()) return {};
  KV_CHECK(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type, "KV_ARGUMENT",
           "createTokenizer: ", name, ": expected another typed array, see TokenizerSource");
  const auto array = value.As<Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

Source read_source(Napi::Value value) {
  KV_CHECK(value.IsObject(), "KV_ARGUMENT", "createTokenizer: expected a TokenizerSource");
  const auto object = value.As<Napi::Object>();
  Source source;
  const std::string kind = string_of(object, "kind");
  KV_CHECK(kind == "gguf" || kind == "json", "KV_ARGUMENT", "createTokenizer: kind is \"", kind,
           "\": expected gguf or json");
  source.json = kind == "json";
  source.file = file_of(object.Get("file"));
  source.settings = {.bos = id_of(object, "bos"),
                     .eos = id_of(object, "eos"),
                     .unknown = id_of(object, "unknown"),
                     .add_bos = choice_of(object, "addBos"),
                     .add_eos = choice_of(object, "addEos"),
                     .add_space_prefix = choice_of(object, "addSpacePrefix")};
  if (!source.json) {
    source.gguf = {.model = string_of(object, "model"),
                   .pre = string_of(object, "pre"),
                   .tokens = strings_of(object, "tokens", *source.file),
                   .merges = strings_of(object, "merges", *source.file),
                   .scores = array_of<Napi::Float32Array, float>(object, "scores", napi_float32_array),
                   .types = array_of<Napi::Int32Array, int32_t>(object, "types", napi_int32_array)};
  }
  return source;
}

Napi::Value encode(const Napi::CallbackInfo& info, const Shared& shared) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    KV_CHECK(info[0].IsString(), "KV_ARGUMENT", "encode: expected a text");
    std::string text = info[0].As<Napi::String>().Utf8Value();
    const bool add_special = info[1].ToBoolean(), parse_special = info[2].ToBoolean();
    const std::string mark = info[3].IsString() ? info[3].As<Napi::String>().Utf8Value() : std::string();
    using Ids = std::vector<int32_t>;
    return run_async<Ids>(
        info.Env(),
        [shared, text = std::move(text), add_special, parse_special, mark] {
          // Lone surrogates: engines differ in what they make of them.
          const bool valid = tokenizer::valid_utf8(text) == text.size();
          return shared->encode(valid ? text : tokenizer::repair_utf8(text), add_special, parse_special, mark);
        },
        [](Napi::Env env, Ids& ids) -> Napi::Value {
          auto array = Napi::Int32Array::New(env, ids.size());
          std::copy(ids.begin(), ids.end(), array.Data());
          return array;
        });
  });
}

Napi::Value decode(const Napi::CallbackInfo& info, const Shared& shared) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    KV_CHECK(info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_int32_array,
             "KV_ARGUMENT", "decode: expected an Int32Array");
    const auto ids = info[0].As<Napi::Int32Array>();
    const bool special = info[1].ToBoolean(), continued = info[2].ToBoolean();
    const std::string text = shared->decode(ids.Data(), ids.ElementLength(), special, continued);
    auto bytes = Napi::Uint8Array::New(info.Env(), text.size());
    std::copy(text.begin(), text.end(), bytes.Data());
    return bytes;
  });
}

Napi::Value id_of_token(const Napi::CallbackInfo& info, const Shared& shared) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    KV_CHECK(info[0].IsString(), "KV_ARGUMENT", "idOf: expected a text");
    const std::string token = tokenizer::repair_utf8(info[0].As<Napi::String>().Utf8Value());
    return Napi::Number::New(info.Env(), shared->id_of(token));
  });
}

Napi::Value control_tokens(const Napi::CallbackInfo& info, const Shared& shared) {
  auto texts = Napi::Array::New(info.Env());
  for (const std::string& text : shared->control_texts())
    texts.Set(texts.Length(), Napi::String::New(info.Env(), text));
  return texts;
}

Napi::Value is_special(const Napi::CallbackInfo& info, const Shared& shared) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    KV_CHECK(info[0].IsNumber(), "KV_ARGUMENT", "isSpecial: expected a token id");
    return Napi::Boolean::New(info.Env(), shared->is_special(info[0].As<Napi::Number>().Int32Value()));
  });
}

// The tokenizer lives until close(), or as long as one of the functions that share it; what is being encoded is finished.
Napi::Value wrap(Napi::Env env, Shared& shared) {
  const Held held = std::make_shared<Shared>(std::move(shared));
  Napi::Object object = make_handle<TokenizerHandle>(env, held);
  object.Set("vocabSize", (*held)->bpe.vocab.size());
  object.Set("bos", (*held)->bos);
  object.Set("eos", (*held)->eos);
  const auto method = [&](const char* name, Napi::Value (*call)(const Napi::CallbackInfo&, const Shared&)) {
    const auto checked = [held, call](const Napi::CallbackInfo& info) {
      return guarded(info.Env(), [&] {
        const Shared alive = *held;
        KV_CHECK(alive, "KV_DISPOSED", "the tokenizer was closed");
        return call(info, alive);
      });
    };
    object.Set(name, Napi::Function::New(env, checked, name));
  };
  method("encode", encode);
  method("decode", decode);
  method("idOf", id_of_token);
  method("isSpecial", is_special);
  method("controlTokens", control_tokens);
  object.Set("close", Napi::Function::New(
                          env, [held](const Napi::CallbackInfo&) { held->reset(); }, "close"));
  return object;
}

Napi::Value create(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto source = std::make_shared<Source>(read_source(info[0]));
    return run_async<Shared>(
        info.Env(), [source] { return source->load(); }, wrap);
  });
}

}  // namespace

std::shared_ptr<const tokenizer::Tokenizer> tokenizer_of(Napi::Value value) {
  const auto held = unwrap_handle<TokenizerHandle>(value);
  KV_CHECK(*held, "KV_DISPOSED", "the tokenizer was closed");
  return *held;
}

void register_tokenizer(Napi::Env env, Napi::Object exports) {
  define_handle<TokenizerHandle>(env, exports);
  exports.Set("createTokenizer", Napi::Function::New(env, create, "createTokenizer"));
}

}  // namespace kvasir::binding
