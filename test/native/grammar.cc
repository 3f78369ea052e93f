// Grammars for tests and benches, one text at a time.
//
//   vocabulary(tokens, size, leading), grammar(words, vocabulary) → { follow(ids, budget) → { masks, accepts, us, … }, stats() }
//
// `tokens`: Uint8Arrays by id, empty for what is no text. follow() walks the ids as an answer would: masks[i] is what may
// come as token i, us[i] how long moving there and finding it took.
#include <napi.h>

#include <chrono>

#include "native/base/check.h"
#include "native/grammar/grammar.h"

namespace kvasir::test {
namespace {

using grammar::Grammar;
using grammar::Vocabulary;

Napi::Value follow(const Napi::CallbackInfo& info, Grammar& grammar) {
  const auto ids = info[0].As<Napi::Int32Array>();
  int32_t budget = info[1].IsNumber() ? info[1].As<Napi::Number>().Int32Value() : grammar::kNever;
  const bool with_masks = !info[2].ToBoolean();
  auto masks = Napi::Array::New(info.Env());
  auto micros = Napi::Float64Array::New(info.Env(), ids.ElementLength() + 1);
  grammar::Position at = grammar.start();
  bool alive = true;
  for (size_t i = 0;; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    if (i > 0) alive = grammar.accept(at, ids[i - 1]);
    std::shared_ptr<const grammar::TokenMask> mask;
    if (alive) mask = grammar.mask(at, budget - 1);
    micros[i] = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
    if (!alive) break;
    if (with_masks) {
      auto bits = Napi::Uint32Array::New(info.Env(), mask->bits.size());
      std::copy(mask->bits.begin(), mask->bits.end(), bits.Data());
      masks.Set(static_cast<uint32_t>(i), bits);
    }
    if (i == ids.ElementLength()) break;
    budget = std::max(1, budget - 1);
  }
  auto result = Napi::Object::New(info.Env());
  result.Set("masks", masks);
  result.Set("us", micros);
  result.Set("alive", alive);
  result.Set("accepts", alive && grammar.accepts(at));
  result.Set("ends", alive && grammar.ends(at));
  result.Set("cost", grammar.cost(at));
  return result;
}

using Shared = std::shared_ptr<const Vocabulary>;

Napi::Value make_vocabulary(const Napi::CallbackInfo& info) {
  const auto list = info[0].As<Napi::Array>();
  std::vector<std::string> tokens;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    Napi::HandleScope scope(info.Env());
    const auto bytes = list.Get(i).As<Napi::Uint8Array>();
    tokens.emplace_back(reinterpret_cast<const char*>(bytes.Data()), bytes.ElementLength());
  }
  auto* vocabulary = new Shared(std::make_shared<Vocabulary>(std::move(tokens), info[1].As<Napi::Number>().Int32Value(),
                                                             info[2].As<Napi::Number>().Int32Value()));
  return Napi::External<Shared>::New(info.Env(), vocabulary, [](Napi::Env, Shared* gone) { delete gone; });
}

Napi::Value make(const Napi::CallbackInfo& info) {
  try {
    const auto words = info[0].As<Napi::Int32Array>();
    const Shared& vocabulary = *info[1].As<Napi::External<Shared>>().Data();
    const auto grammar = std::make_shared<Grammar>(words.Data(), words.ElementLength(), vocabulary);
    auto object = Napi::Object::New(info.Env());
    object.Set("follow", Napi::Function::New(info.Env(), [grammar](const Napi::CallbackInfo& call) {
                 try {
                   return follow(call, *grammar);
                 } catch (const Error& error) {
                   throw Napi::Error::New(call.Env(), error.what());
                 }
               }));
    object.Set("stats", Napi::Function::New(info.Env(), [grammar](const Napi::CallbackInfo& call) {
                 const grammar::GrammarStats stats = grammar->stats();
                 auto result = Napi::Object::New(call.Env());
                 result.Set("masks", static_cast<double>(stats.masks));
                 result.Set("states", static_cast<double>(stats.states));
                 result.Set("bytes", static_cast<double>(stats.bytes));
                 return result;
               }));
    return object;
  } catch (const Error& error) {
    throw Napi::Error::New(info.Env(), error.what());
  }
}

}  // namespace

void register_grammar(Napi::Env env, Napi::Object exports) {
  exports.Set("vocabulary", Napi::Function::New(env, make_vocabulary));
  exports.Set("grammar", Napi::Function::New(env, make));
}

}  // namespace kvasir::test
