// JavaScript objects as the structs of native/ops: a field that is absent reads as null or 0.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "native/base/check.h"
#include "native/ops/attention.h"
#include "native/ops/sample.h"

namespace kvasir::test {

class Args {
 public:
  explicit Args(Napi::Object object) : object_(object) {}
  Napi::Object object() const { return object_; }

  bool has(const char* name) const { return !object_.Get(name).IsUndefined() && !object_.Get(name).IsNull(); }
  double number(const char* name, double otherwise = 0) const {
    return has(name) ? object_.Get(name).ToNumber().DoubleValue() : otherwise;
  }
  int32_t i32(const char* name, int32_t otherwise = 0) const { return static_cast<int32_t>(number(name, otherwise)); }
  float f32(const char* name, float otherwise = 0) const { return static_cast<float>(number(name, otherwise)); }
  bool flag(const char* name) const { return has(name) && object_.Get(name).ToBoolean(); }
  Args child(const char* name) const { return Args(object_.Get(name).As<Napi::Object>()); }

  int64_t count(const char* name) const {
    return has(name) ? static_cast<int64_t>(object_.Get(name).As<Napi::TypedArray>().ElementLength()) : 0;
  }
  uint8_t* bytes(const char* name) const {
    if (!has(name)) return nullptr;
    const auto array = object_.Get(name).As<Napi::TypedArray>();
    return static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  }
  float* f32s(const char* name) const { return reinterpret_cast<float*>(bytes(name)); }
  int32_t* i32s(const char* name) const { return reinterpret_cast<int32_t*>(bytes(name)); }

  // { data, dtype, rows, dim, stride }
  Rows rows(const char* name) const {
    const Args a = child(name);
    const Rows rows{a.bytes("data"), static_cast<Dtype>(a.i32("dtype")), a.i32("rows"), a.i32("dim"), a.i32("stride")};
    const Napi::TypedArray array = a.object_.Get("data").As<Napi::TypedArray>();
    KV_CHECK(static_cast<int64_t>(array.ByteLength()) >= rows.stride * rows.rows, "KV_ARGUMENT", name,
             ": too few bytes");
    return rows;
  }

  // { data, dtype, rows, cols, rowBytes }
  Weight weight(const char* name) const {
    const Args a = child(name);
    const auto dtype = static_cast<Dtype>(a.i32("dtype"));
    return {a.bytes("data"), dtype, a.i32("rows"), a.i32("cols"), kvasir::row_bytes(dtype, a.i32("cols"))};
  }

  KvCache kv(const char* name) const {
    const Args a = child(name);
    KvCache kv{a.bytes("data"), static_cast<Dtype>(a.i32("dtype")), a.i32("layers"), a.i32("pages"), a.i32("kvHeads"),
               a.i32("headDim")};
    KV_CHECK(a.count("data") >= kv.bytes(), "KV_ARGUMENT", name, ": expected ", kv.bytes(), " bytes");
    return kv;
  }

  // { start, position, blockStart, blocks }
  StepSequences sequences(const char* name, std::vector<int32_t>& of_token) const {
    StepSequences s;
    if (!has(name)) return s;
    const Args a = child(name);
    s.count = static_cast<int32_t>(a.count("position"));
    s.start = a.i32s("start");
    s.position = a.i32s("position");
    s.block_start = a.i32s("blockStart");
    s.blocks = a.i32s("blocks");
    for (int32_t i = 0; i < s.count; ++i) of_token.resize(s.start[i + 1], i);
    s.of_token = of_token.data();
    return s;
  }

  // [{ temperature, …, seedLow, seedHigh, biasIds, biasValues, stopTokens, counts, prompt, pooled }]
  std::vector<SequenceSlot> slots(const char* name) const {
    const Napi::Array list = object_.Get(name).As<Napi::Array>();
    std::vector<SequenceSlot> slots(list.Length());
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const Args a(list.Get(i).As<Napi::Object>());
      SequenceSlot& slot = slots[i];
      SamplerParams& p = slot.params;
      p.temperature = a.f32("temperature");
      p.top_k = a.i32("topK");
      p.top_p = a.f32("topP", 1);
      p.min_p = a.f32("minP");
      p.repetition_penalty = a.f32("repetitionPenalty", 1);
      p.frequency_penalty = a.f32("frequencyPenalty");
      p.presence_penalty = a.f32("presencePenalty");
      p.seed = static_cast<uint64_t>(a.number("seedLow")) | static_cast<uint64_t>(a.number("seedHigh")) << 32;
      p.top_logprobs = a.i32("topLogprobs", -1);
      for (int64_t b = 0; b < a.count("biasIds"); ++b)
        p.logit_bias.emplace_back(a.i32s("biasIds")[b], a.f32s("biasValues")[b]);
      p.stop_tokens.assign(a.i32s("stopTokens"), a.i32s("stopTokens") + a.count("stopTokens"));
      for (int64_t c = 0; c + 1 < a.count("counts"); c += 2)
        slot.counts.emplace_back(a.i32s("counts")[c], a.i32s("counts")[c + 1]);
      slot.prompt.assign(a.i32s("prompt"), a.i32s("prompt") + a.count("prompt"));
      slot.pooled.assign(a.f32s("pooled"), a.f32s("pooled") + a.count("pooled"));
    }
    return slots;
  }

  // What the kernels changed: counts and pooled.
  void give_slots(const char* name, const std::vector<SequenceSlot>& slots) const {
    const Napi::Env env = object_.Env();
    const Napi::Array list = object_.Get(name).As<Napi::Array>();
    for (uint32_t i = 0; i < slots.size(); ++i) {
      auto counts = Napi::Int32Array::New(env, slots[i].counts.size() * 2);
      for (size_t c = 0; c < slots[i].counts.size(); ++c) {
        counts[2 * c] = slots[i].counts[c].first;
        counts[2 * c + 1] = slots[i].counts[c].second;
      }
      auto pooled = Napi::Float32Array::New(env, slots[i].pooled.size());
      std::copy(slots[i].pooled.begin(), slots[i].pooled.end(), pooled.Data());
      list.Get(i).As<Napi::Object>().Set("counts", counts);
      list.Get(i).As<Napi::Object>().Set("pooled", pooled);
    }
  }

 private:
  Napi::Object object_;
};

}  // namespace kvasir::test
