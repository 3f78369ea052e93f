// Steps and caches for tests of attention: ragged batches, pages in any order, NaN in slots that nobody has written.
#pragma once

#include <algorithm>

#include "native/base/check.h"
#include "native/formats/half.h"
#include "test/simt/harness.h"

namespace kvasir::simt_test {

struct Sequence {
  int position, tokens;
};

struct Model {
  int heads, kv_heads, head_dim;
  Dtype kv;
  int window = 0;
  Dtype y = Dtype::f32;
  bool interleaved = false, norms = false;
};

// The arrays of a step, and a cache whose pages lie in any order.
struct Step {
  std::vector<int32_t> start{0}, position, block_start{0}, blocks, of_token;
  StepSequences view;
  cuda::StepExtent extent;

  Step(const std::vector<Sequence>& sequences, Random& random) {
    extent.fewest_tokens = INT32_MAX;
    for (const Sequence& s : sequences) {
      of_token.insert(of_token.end(), s.tokens, static_cast<int32_t>(position.size()));
      start.push_back(start.back() + s.tokens);
      position.push_back(s.position);
      const int pages = (s.position + s.tokens + kPageTokens - 1) / kPageTokens;
      for (int i = 0; i < pages; ++i) blocks.push_back(static_cast<int32_t>(blocks.size()));
      block_start.push_back(static_cast<int32_t>(blocks.size()));
      extent.most_tokens = std::max(extent.most_tokens, s.tokens);
      extent.fewest_tokens = std::min(extent.fewest_tokens, s.tokens);
      extent.context = std::max(extent.context, s.position + s.tokens);
    }
    std::shuffle(blocks.begin(), blocks.end(), random);
    view = {static_cast<int32_t>(position.size()),
            start.data(),
            position.data(),
            block_start.data(),
            blocks.data(),
            of_token.data()};
  }
  int tokens() const { return start.back(); }
};

inline void fill_head_page(const KvCache& kv, uint8_t* page, int used, Random& random) {
  std::normal_distribution<float> normal;
  for (int t = 0; t < kPageTokens; ++t) {
    const bool written = t < used;
    for (int d = 0; d < kv.head_dim; ++d)
      for (const bool is_value : {false, true}) {
        uint8_t* rows = is_value ? kv.values(page) : kv.keys(page);
        const float value = written ? normal(random) : NAN;
        if (kv.dtype == Dtype::kv8) {
          const int at = is_value ? t / 2 * 2 * kv.head_dim + 2 * d + t % 2 : (d / 4 * kPageTokens + t) * 4 + d % 4;
          rows[at] = written ? static_cast<uint8_t>(random() % 255 - 127) : 0x80;
        } else if (kv.dtype == Dtype::f16) {
          reinterpret_cast<uint16_t*>(rows)[t * kv.head_dim + d] = f32_to_f16(value);
        } else {
          reinterpret_cast<float*>(rows)[t * kv.head_dim + d] = value;
        }
      }
    if (kv.dtype != Dtype::kv8) continue;
    kv.key_scales(page)[t] = written ? 0.001f + static_cast<float>(random() % 100) * 1e-4f : NAN;
    kv.value_scales(page)[t] = written ? 0.001f + static_cast<float>(random() % 100) * 1e-4f : NAN;
  }
}

struct Attending {
  Card card;
  Random random;
  Step step;
  Model model;
  KvCache kv;
  Buffer pages, same_pages, qkv, same_qkv;
  int columns;
  std::string name;

  Attending(const char* op, const Model& model, const std::vector<Sequence>& sequences, uint64_t seed)
      : card(seed),
        random(static_cast<unsigned>(seed + model.head_dim)),
        step(sequences, random),
        model(model),
        kv{nullptr, model.kv, 2, static_cast<int32_t>(step.blocks.size()), model.kv_heads, model.head_dim},
        pages(static_cast<size_t>(kv.bytes())),
        same_pages(pages.size),
        qkv(0),
        same_qkv(0),
        columns((model.heads + 2 * model.kv_heads) * model.head_dim),
        name(text(op, " ", name_of(model.kv), " ", model.heads, "/", model.kv_heads, "x", model.head_dim,
                  model.window ? " window" : "")) {
    kv.base = pages.get();
    for (size_t s = 0; s < sequences.size(); ++s) {
      name += text(" ", sequences[s].tokens, "@", sequences[s].position);
      const int context = sequences[s].position + sequences[s].tokens;
      for (int b = step.block_start[s]; b < step.block_start[s + 1]; ++b)
        for (int layer = 0; layer < kv.layers; ++layer)
          for (int head = 0; head < kv.kv_heads; ++head)
            fill_head_page(kv, kv.head_page(layer, step.blocks[b], head),
                           std::clamp(context - (b - step.block_start[s]) * kPageTokens, 0, int{kPageTokens}), random);
    }
    std::memcpy(same_pages.get(), pages.get(), pages.size);
    qkv = test::random_activations(Dtype::f32, step.tokens(), columns, random);
    same_qkv = Buffer(qkv.size);
    std::memcpy(same_qkv.get(), qkv.get(), qkv.size);
    card.has(pages, 1, "kv");
    card.has(qkv, 4, "qkv");
    card.has(step.start, "start");
    card.has(step.position, "position");
    card.has(step.block_start, "block_start");
    card.has(step.blocks, "blocks");
    card.has(step.of_token, "of_token");
  }
  KvCache same_kv() const {
    KvCache same = kv;
    same.base = same_pages.get();
    return same;
  }
  Rows rows(const Buffer& buffer) const { return rows_in(buffer, Dtype::f32, step.tokens(), columns); }
};

}  // namespace kvasir::simt_test
