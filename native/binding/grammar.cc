// createVocabulary(tokenizer, size), createGrammar(vocabulary, words) → Promises of handles. Both are made on the
// background thread.
#include "native/binding/grammar.h"

#include "native/binding/handle.h"
#include "native/binding/model.h"
#include "native/binding/tokenizer.h"

namespace kvasir::binding {
namespace {

using grammar::Grammar;
using grammar::Vocabulary;

struct VocabularyHandle {
  using Value = const Vocabulary;
  static constexpr const char* kName = "Vocabulary";
  static constexpr napi_type_tag kTag = {0x6b76617369720001, 0x766f6361};
};
struct GrammarHandle {
  using Value = Grammar;
  static constexpr const char* kName = "Grammar";
  static constexpr napi_type_tag kTag = {0x6b76617369720001, 0x6772616d};
};

// Control tokens are no text: a grammar never lets them come.
std::shared_ptr<const Vocabulary> vocabulary_from(const tokenizer::Tokenizer& tokenizer, int32_t size) {
  const std::string& strip = tokenizer.decoder.strip;
  KV_CHECK(tokenizer.decoder.strip_times == 0 || strip.size() <= 1, "KV_UNSUPPORTED",
           "format: the tokenizer of this model takes \"", strip, "\" off a text; one character at the most is known");
  std::vector<std::string> tokens(std::min(size, tokenizer.bpe.vocab.size()));
  for (int32_t id = 0; id < static_cast<int32_t>(tokens.size()); ++id)
    if (!tokenizer.is_special(id)) tokens[id] = tokenizer.decode(&id, 1, false, true);
  const bool strips = tokenizer.decoder.strip_times > 0 && !strip.empty();
  return std::make_shared<const Vocabulary>(std::move(tokens), size, strips ? static_cast<uint8_t>(strip[0]) : -1);
}

template <typename T>
Napi::Value handle_async(const Napi::CallbackInfo& info, std::function<std::shared_ptr<typename T::Value>()> work) {
  using Shared = std::shared_ptr<typename T::Value>;
  return run_async<Shared>(info.Env(), std::move(work), [](Napi::Env env, Shared& made) -> Napi::Value {
    return make_handle<T>(env, std::move(made));
  });
}

Napi::Value create_vocabulary(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto tokenizer = tokenizer_of(info[0]);
    KV_CHECK(info[1].IsNumber(), "KV_ARGUMENT", "createVocabulary: expected the number of logits");
    const int32_t size = info[1].As<Napi::Number>().Int32Value();
    KV_CHECK(size > 0 && size <= tokenizer::kMaxVocab, "KV_ARGUMENT", "createVocabulary: ", size, " logits");
    return handle_async<VocabularyHandle>(info, [tokenizer, size] { return vocabulary_from(*tokenizer, size); });
  });
}

Napi::Value create_grammar(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto vocabulary = unwrap_handle<VocabularyHandle>(info[0]);
    KV_CHECK(is_int32_array(info[1]), "KV_ARGUMENT", "createGrammar: expected the rules as an Int32Array");
    const auto array = info[1].As<Napi::Int32Array>();
    std::vector<int32_t> words(array.Data(), array.Data() + array.ElementLength());
    return handle_async<GrammarHandle>(info, [vocabulary, words = std::move(words)] {
      return std::make_shared<Grammar>(words.data(), words.size(), vocabulary);
    });
  });
}

}  // namespace

std::shared_ptr<Grammar> grammar_of(Napi::Value value) { return unwrap_handle<GrammarHandle>(value); }

void register_grammar(Napi::Env env, Napi::Object exports) {
  define_handle<VocabularyHandle>(env, exports);
  define_handle<GrammarHandle>(env, exports);
  exports.Set("createVocabulary", Napi::Function::New(env, create_vocabulary, "createVocabulary"));
  exports.Set("createGrammar", Napi::Function::New(env, create_grammar, "createGrammar"));
}

}  // namespace kvasir::binding
