#include "native/executor/cuda/model.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "native/executor/cuda/self_check.h"

namespace kvasir::cuda {
namespace {

// The largest step of any program.
StepLimits limits_of(const std::vector<std::shared_ptr<const Program>>& programs, const ExecutorOptions& options) {
  StepLimits most = {};
  for (const auto& program : programs) {
    const StepLimits one = program->limits();
    most.tokens = std::max(most.tokens, one.tokens);
    most.sequences = std::max(most.sequences, one.sequences);
    most.rows = std::max(most.rows, one.rows);
    most.blocks = std::max(most.blocks, one.blocks);
    most.vocab = std::max(most.vocab, one.vocab);
  }
  most.slots = options.slots;
  most.pages = options.kv.pages;
  return most;
}

// A page more than the scheduler gives out: padding sequences write to it.
KvCache with_spare_page(KvCache kv, uint8_t* base) {
  kv.base = base;
  ++kv.pages;
  return kv;
}

int64_t kv_bytes(KvCache kv) { return with_spare_page(kv, nullptr).bytes(); }

std::vector<std::shared_ptr<const Program>> checked(std::vector<std::shared_ptr<const Program>> programs,
                                                    const Weights& weights, KvCache kv) {
  KV_CHECK(!programs.empty(), "KV_NATIVE", "no program");
  check_together(programs);
  uint8_t somewhere = 0;  // the memory comes later
  kv.base = &somewhere;
  for (const auto& program : programs) check_bindings(*program, weights, kv);
  return programs;
}

bool is_half(const Weight& weight) { return weight.dtype == Dtype::f16 || weight.dtype == Dtype::bf16; }

// What linear by wgmma with 16-bit weights needs in the largest step.
int64_t most_rounded_bytes(const DeviceFacts& facts, const Weights& weights, const StepLimits& limits) {
  int64_t most = 0;
  for (const Weight& w : weights.list)
    if (facts.wgmma_half && is_half(w))
      most = std::max(most, rounded_bytes(std::max(limits.tokens, limits.rows), w.cols));
  return most;
}

// KVASIR_CUDA_WGMMA=0: without the kernels for compute capability 9.0 alone.
DeviceFacts facts_of(const driver::ContextPtr& context, driver::Kernels& kernels, driver::Stream& stream,
                     const Weights& weights, const KvCache& kv) {
  const driver::CardFacts& card = context->card();
  const char* wgmma = std::getenv("KVASIR_CUDA_WGMMA");
  const bool wanted = (!wgmma || std::strcmp(wgmma, "0") != 0) && card.compute_capability == 90;
  const bool has_half = std::any_of(weights.list.begin(), weights.list.end(), is_half);
  const bool has_heads = kv.dtype == Dtype::f16 && (kv.head_dim == 64 || kv.head_dim == 128);
  return {
      .multiprocessors = card.multiprocessors,
      .compute_capability = card.compute_capability,
      .shared_bytes = card.shared_bytes,
      .wgmma = wanted && kernels.has("linear_q8_0_wgmma_128") && wgmma_agrees(context, kernels, stream, weights.list),
      .wgmma_attention = wanted && has_heads && kernels.has("attention_wgmma_128") &&
                         wgmma_attention_agrees(context, kernels, stream, kv),
      .wgmma_half =
          wanted && has_half && kernels.has("linear_f16_wgmma_64") && wgmma_half_agrees(context, kernels, stream)};
}

}  // namespace

CardModel::CardModel(const ExecutorOptions& options, const CardOptions& card, const Weights& weights,
                     std::vector<std::shared_ptr<const Program>> programs)
    : options_(options),
      programs_(checked(std::move(programs), weights, options.kv)),
      context_(card.context),
      kernels_(context_, card.kernel_folders),
      stream_(context_),
      facts_(facts_of(context_, kernels_, stream_, weights, options.kv)),
      weights_(context_, weights, *programs_[0], options.threads, card.progress),
      limits_(limits_of(programs_, options)),
      arrays_(limits_),
      slots_(context_, stream_, options.slots + 1, limits_.vocab),
      formats_(options.slots + 1, limits_.vocab),
      kv_memory_(context_, cuda::kv_bytes(options.kv)),
      attention_(context_, kAttentionWorkspaceBytes),
      step_(context_, arrays_.bytes()),
      masks_(context_, int64_t{options.slots} * formats_.mask_words() * int64_t{sizeof(uint32_t)}),
      results_(context_, std::max(1, limits_.rows) * sizeof(SampleResult)),
      rounded_(context_, most_rounded_bytes(facts_, weights, limits_)) {
  kv_ = with_spare_page(options.kv, kv_memory_.data());
  if (options.swap.pages > 0) swap_.emplace(context_, options.swap.pages, kv_);
  // What a masked key reads must be a number: it is multiplied by zero.
  stream_.zero(kv_memory_.data(), kv_memory_.size());
  stream_.wait();
}

Card CardModel::card() {
  return {*context_,
          stream_,
          kernels_,
          slots_,
          arrays_.row_mask(step_.data()),
          reinterpret_cast<const uint32_t*>(masks_.data()),
          formats_.mask_words(),
          facts_,
          rounded_.data()};
}

int64_t CardModel::arena_bytes() const {
  int64_t bytes = 0;
  for (const driver::DeviceMemory& arena : arenas_) bytes += static_cast<int64_t>(arena.size());
  return bytes;
}

int CardModel::add_program(std::shared_ptr<const Program> program) {
  std::lock_guard lock(mutex_);
  check_bindings(*program, weights_.weights(), kv_);
  const StepLimits limits = program->limits();
  KV_CHECK(limits.tokens <= limits_.tokens && limits.sequences <= limits_.sequences && limits.rows <= limits_.rows &&
               limits.blocks <= limits_.blocks,
           "KV_NATIVE", "a program for larger steps than the first");
  auto programs = programs_;
  programs.push_back(std::move(program));
  check_together(programs);
  programs_ = std::move(programs);
  return static_cast<int>(programs_.size()) - 1;
}

std::shared_ptr<const Program> CardModel::program_at(const std::vector<int32_t>& words) {
  std::lock_guard lock(mutex_);
  KV_CHECK(!words.empty() && words[0] >= 0 && words[0] < static_cast<int>(programs_.size()), "KV_NATIVE",
           "step: no such program, there are ", programs_.size());
  return programs_[words[0]];
}

uint8_t* CardModel::arena_of(int number, const Program& program) {
  auto known = arena_of_program_.find(number);
  if (known != arena_of_program_.end()) return known->second;
  const auto bytes = static_cast<size_t>(program.arena_bytes());
  auto fits = std::find_if(arenas_.begin(), arenas_.end(), [&](const auto& arena) { return arena.size() >= bytes; });
  if (fits == arenas_.end()) fits = arenas_.insert(arenas_.end(), driver::DeviceMemory(context_, bytes));
  return arena_of_program_[number] = fits->data();
}

void CardModel::settle() noexcept {
  try {
    context_->enter();
    stream_.wait();
  } catch (const Error&) {
    // The steps that wait for it hear of it themselves.
  }
}

std::unique_ptr<Flight> CardModel::new_flight() const { return std::make_unique<Flight>(context_, arrays_.bytes()); }

void CardModel::open(int slot, const SamplerParams& params, const std::vector<int32_t>& prompt) {
  slots_.open(slot, params, prompt);
  formats_.open(slot, params);
}

void CardModel::queue(const std::vector<int32_t>& words, Flight& flight) {
  const std::shared_ptr<const Program> held = program_at(words);
  const Program& program = *held;
  StepLimits limits = program.limits();
  limits.slots = limits_.slots;
  limits.pages = limits_.pages;
  parse_step(words, limits, buffers_);
  const int32_t rows = buffers_.rows, sequences = static_cast<int32_t>(buffers_.position.size());

  const bool decode = program.facts.logits > 0 && is_decode(buffers_);
  const int32_t most = std::min({limits.tokens, limits.sequences, limits.rows});
  const DecodeShape shape = decode ? decode_shape(words[0], buffers_, most) : DecodeShape{};
  if (decode) pad(buffers_, shape.sequences, limits_.slots, limits_.pages);

  const int64_t used = arrays_.write(buffers_, flight.in.data());
  queue_masks(flight);
  stream_.copy_in(step_.data(), flight.in.data(), used);
  queue_copies();
  uint8_t* const arena = arena_of(words[0], program);
  if (program.pools()) slots_.make_room_to_pool(program.facts.pooled);
  if (decode)
    run_decode(program, arena, shape);
  else
    run(program, arena, extent_of(buffers_));
  queue_results(program, flight, rows, sequences);
  stream_.record(flight.over);
}

void CardModel::swap(const std::vector<int32_t>& copies, const driver::Event& over) {
  if (swap_failure_) throw *swap_failure_;
  try {
    swap_->queue(copies, stream_);
    stream_.record(over);
  } catch (const Error& error) {
    swap_failure_ = error;
    throw;
  }
}

void CardModel::queue_masks(Flight& flight) {
  flight.formatted = formats_.rows_of(buffers_);
  const size_t bytes = flight.formatted.size() * formats_.mask_words() * sizeof(uint32_t);
  if (bytes == 0) return;
  if (flight.masks.size() < masks_.size()) flight.masks = driver::PinnedMemory(context_, masks_.size());  // once
  formats_.write_masks(flight.formatted, reinterpret_cast<uint32_t*>(flight.masks.data()));
  int32_t* of_row = arrays_.row_mask(flight.in.data());
  for (size_t i = 0; i < flight.formatted.size(); ++i) of_row[flight.formatted[i].row] = static_cast<int32_t>(i);
  stream_.copy_in(masks_.data(), flight.masks.data(), bytes);
}

// Copies in the order given; those that do not touch one another's pages go together.
void CardModel::queue_copies() {
  const std::vector<int32_t>& copies = buffers_.copies;
  const int32_t* pairs = arrays_.copies(step_.data());
  const auto count = static_cast<int32_t>(copies.size() / 2);
  std::set<int32_t> read, written;
  int32_t first = 0;
  for (int32_t i = 0; i <= count; ++i) {
    const bool apart = i < count && !written.contains(copies[2 * i]) && !written.contains(copies[2 * i + 1]) &&
                       !read.contains(copies[2 * i + 1]);
    if (!apart && i > first) {
      queue_op(
          CopyPages{.base = kv_.base, .page_bytes = kv_.page_bytes(), .pairs = pairs + 2 * first, .count = i - first},
          card());
      read.clear();
      written.clear();
      first = i;
    }
    if (i == count) break;
    read.insert(copies[2 * i]);
    written.insert(copies[2 * i + 1]);
  }
}

void CardModel::run(const Program& program, uint8_t* arena, const StepExtent& extent) {
  StepInputs inputs =
      arrays_.inputs(buffers_.tokens, static_cast<int32_t>(buffers_.position.size()), buffers_.rows, step_.data());
  inputs.last_sampled = slots_.last_sampled();
  inputs.results = reinterpret_cast<SampleResult*>(results_.data());
  const Bindings bindings = {.weights = &weights_.weights(), .kv = kv_, .arena = arena, .attention = attention_.data()};
  queue_tape(program, bindings, inputs, extent, card());
}

// The second time that a shape comes it is recorded. Not the first: to find a kernel may load it, which must not happen
// while recording.
void CardModel::run_decode(const Program& program, uint8_t* arena, const DecodeShape& shape) {
  auto known = graphs_.find(shape);
  if (known == graphs_.end() && seen_.insert(shape).second) return run(program, arena, shape.extent());
  if (known == graphs_.end())
    known = graphs_.emplace(shape, stream_.capture([&] { run(program, arena, shape.extent()); })).first;
  stream_.launch(known->second);
  ++replays_;
}

void CardModel::queue_results(const Program& program, Flight& flight, int32_t rows, int32_t sequences) {
  flight.rows = program.facts.logits > 0 ? rows : 0;
  flight.pooled = program.facts.pooled * sequences;
  const size_t result_bytes = flight.rows * sizeof(SampleResult);
  const size_t needed = result_bytes + flight.pooled * sizeof(float);
  if (flight.out.size() < needed) flight.out = driver::PinnedMemory(context_, needed);
  stream_.copy_out(flight.out.data(), results_.data(), result_bytes);
  const size_t dim = program.facts.pooled;
  for (int32_t s = 0; dim > 0 && s < sequences; ++s)
    stream_.copy_out(flight.out.data() + result_bytes + s * dim * sizeof(float),
                     reinterpret_cast<const uint8_t*>(slots_.pooled() + buffers_.seq_slot[s] * dim),
                     dim * sizeof(float));
}

std::vector<int32_t> CardModel::result_of(Flight& flight) {
  std::vector<int32_t> words;
  auto* results = reinterpret_cast<SampleResult*>(flight.out.data());
  formats_.finish(flight.formatted, results);
  for (int32_t r = 0; r < flight.rows; ++r) append_row(results[r], words);
  const size_t at = words.size();
  words.resize(at + flight.pooled);
  std::memcpy(words.data() + at, results + flight.rows, flight.pooled * sizeof(float));
  return words;
}

}  // namespace kvasir::cuda
