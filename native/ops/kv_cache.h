// The paged KV cache of a device: pages of 32 tokens; a sequence owns a list of pages (its block table).
//
//   base  [pages][layers][kv_heads] head pages of
//         f32, f16:  K [32][head_dim], V [32][head_dim]
//         kv8:       K [head_dim / 4][32][4] s8, V [32 / 2][head_dim][2] s8, f32 k_scale[32], f32 v_scale[32]
//
// The kv8 layouts put tokens (K) and dimensions (V) in lanes, with what one instruction multiplies and adds side by
// side: four bytes of q·K, two tokens of P·V.
//
// kv8: scale = max|x| / 127 over the head_dim values of one token and head, q = round(x · (127 / max|x|)).
#pragma once

#include <cstdint>

#include "native/base/dtype.h"
#include "native/base/host_device.h"

namespace kvasir {

constexpr int32_t kPageTokens = 32;

struct KvCache {
  uint8_t* base = nullptr;
  Dtype dtype = Dtype::kv8;
  int32_t layers = 0;
  int32_t pages = 0;
  int32_t kv_heads = 0;
  int32_t head_dim = 0;

  KV_HOST_DEVICE int64_t row_bytes() const { return dtype == Dtype::kv8 ? head_dim : row_of(dtype) * head_dim; }
  KV_HOST_DEVICE int64_t head_page_bytes() const {
    return kPageTokens * (2 * row_bytes() + (dtype == Dtype::kv8 ? 2 * int64_t{sizeof(float)} : 0));
  }
  KV_HOST_DEVICE int64_t page_bytes() const { return head_page_bytes() * kv_heads * layers; }
  KV_HOST_DEVICE int64_t bytes() const { return page_bytes() * pages; }
  KV_HOST_DEVICE uint8_t* head_page(int layer, int page, int head) const {
    return base + ((int64_t{page} * layers + layer) * kv_heads + head) * head_page_bytes();
  }
  KV_HOST_DEVICE uint8_t* keys(uint8_t* head_page) const { return head_page; }
  KV_HOST_DEVICE uint8_t* values(uint8_t* head_page) const { return head_page + kPageTokens * row_bytes(); }
  KV_HOST_DEVICE float* key_scales(uint8_t* head_page) const {
    return reinterpret_cast<float*>(head_page + 2 * kPageTokens * row_bytes());
  }
  KV_HOST_DEVICE float* value_scales(uint8_t* head_page) const { return key_scales(head_page) + kPageTokens; }

 private:
  KV_HOST_DEVICE static constexpr int64_t row_of(Dtype dtype) { return dtype == Dtype::f32 ? 4 : 2; }
};

}  // namespace kvasir
