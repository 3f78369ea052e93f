#include "native/executor/executor.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <system_error>

namespace kvasir {
namespace {

const cpu::KernelTable* kernels_or_throw() {
  const char* error = nullptr;
  const cpu::KernelTable* table = cpu::select_kernels(&error);
  KV_CHECK(table, "KV_UNSUPPORTED", error);
  return table;
}

using Clock = std::chrono::steady_clock;

constexpr int64_t kSwapAlone = int64_t{4} << 20;  // bytes that one thread copies sooner than all

std::vector<int32_t> result_words(const StepBuffers& step, const Program& program,
                                  const std::vector<SequenceSlot>& slots) {
  std::vector<int32_t> words;
  for (int32_t r = 0; r < step.rows; ++r) append_row(step.results[r], words);
  if (!program.pools()) return words;
  for (const int32_t slot : step.seq_slot) {
    for (const float value : slots[slot].pooled) words.push_back(std::bit_cast<int32_t>(value));
  }
  return words;
}

}  // namespace

Executor::Executor(const ExecutorOptions& options, std::shared_ptr<const Weights> weights,
                   std::vector<std::shared_ptr<const Program>> programs)
    : QueuedDevice({options.slots, options.kv.pages, options.swap.pages}),
      options_(options),
      weights_(std::move(weights)),
      kernels_(kernels_or_throw()),
      kv_(options.kv),
      kv_memory_(options.kv.bytes(), AnonymousMemory::kHugePages),
      slots_(options.slots),
      last_sampled_(options.slots, 0) {
  kv_.base = kv_memory_.data();
  if (options.swap.pages > 0) swap_.emplace(options.swap, kv_);
  stats_.kv_bytes = kv_.bytes();
  for (auto& program : programs) add_program(std::move(program));
  if (options.profile && !programs_.empty()) profile_.emplace(options.threads, programs_[0]->code.size());
  team_ = std::make_unique<ThreadTeam>(options.threads, options.background);
  start(options.background);
}

void Executor::set_background(bool background) {
  std::lock_guard lock(mutex_);
  KV_CHECK(!stopping_, "KV_DISPOSED", "the executor was disposed");
  if (background != lowered_) start(background);
  changed_.notify_one();
}

// A thread may lower its priority, but Linux lets few raise it again. One that begins has that of the thread that starts
// it, and that is JavaScript's: so new threads take over, after the job that runs.
void Executor::start(bool background) {
  auto before = std::make_shared<std::thread>(std::move(thread_));
  const int generation = ++generation_;
  try {
    thread_ = std::thread([this, before, background, generation] {
      if (before->joinable()) {
        before->join();
        try {
          team_ = std::make_unique<ThreadTeam>(options_.threads, background);
        } catch (const Error&) {  // no threads left for another team: the one that there is goes on
        }
      }
      if (background) lower_priority();
      serve(generation);
    });
  } catch (const std::system_error& error) {
    thread_ = std::move(*before);
    --generation_;
    throw Error("KV_NATIVE", text("threads: this system has none left (", error.what(), "); dispose other models"));
  }
  lowered_ = background;
}

int Executor::add_program(std::shared_ptr<const Program> program) {
  check_bindings(*program, *weights_, kv_);
  std::lock_guard lock(mutex_);
  KV_CHECK(!stopping_, "KV_DISPOSED", "the executor was disposed");
  auto programs = programs_;
  programs.push_back(std::move(program));
  check_together(programs);
  programs_ = std::move(programs);
  return static_cast<int>(programs_.size()) - 1;
}

void Executor::stop() {
  std::deque<Job> dropped = close();
  if (thread_.joinable()) thread_.join();
  background_.stop();
  team_.reset();
  fail(dropped);
}

ExecutorStats Executor::stats() const {
  ExecutorStats stats = QueuedDevice::stats();
  stats.format_path = background_.timings().path.summary();
  stats.format_beside = background_.timings().beside.summary();
  std::lock_guard lock(mutex_);
  stats.background = lowered_;
  return stats;
}

void Executor::serve(int generation) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (outcome_ && jobs_.empty()) {
      lock.unlock();
      tell();
      lock.lock();
    }
    changed_.wait(lock, [&] { return stopping_ || generation != generation_ || !jobs_.empty(); });
    if (stopping_ || generation != generation_) return;
    Job job = take();
    lock.unlock();
    std::visit([this](auto& asked) { run(asked); }, job);
    lock.lock();
  }
}

void Executor::run(Opening& opening) {
  std::vector<int32_t>& prompt = opening.prompt;
  std::sort(prompt.begin(), prompt.end());
  prompt.erase(std::unique(prompt.begin(), prompt.end()), prompt.end());
  SequenceSlot& slot = slots_[opening.slot];
  slot = {std::move(opening.params), {}, std::move(prompt), {}, {}};
  if (const SamplerParams& params = slot.params; params.grammar)
    slot.matcher = std::make_shared<grammar::Matcher>(params.grammar, params.grammar_budget, &background_);
  background_.wake();
  last_sampled_[opening.slot] = 0;
}

void Executor::run(Step& step) {
  const auto begin = Clock::now();
  std::vector<int32_t> result;
  std::optional<Error> error;
  try {
    result = results_of(step.words);
  } catch (...) {
    error = error_now();
  }
  const std::chrono::duration<double, std::milli> busy = Clock::now() - begin;
  tell();  // of the step before, where this one could not begin
  outcome_ = {std::move(step.done), std::move(result), std::move(error)};
  std::lock_guard lock(mutex_);
  ++stats_.steps;
  stats_.busy_ms += busy.count();
}

// On all threads where there is much to copy; waking them takes longer than a few pages. The first failure of a thread is
// that of the swap, and of all that follow: what a place holds is not known any more.
void Executor::run(Copies& copies) {
  tell();  // who waits for the step before need not wait for the copies
  const auto begin = Clock::now();
  if (!swap_failure_) {
    std::mutex failing;
    const auto copy = [&](const Worker& worker) {
      try {
        swap_->copy(copies.words, worker);
      } catch (...) {
        std::lock_guard lock(failing);
        swap_failure_ = error_now();
      }
    };
    if (static_cast<int64_t>(copies.words.size() / 2) * kv_.page_bytes() < kSwapAlone)
      copy(Worker{});
    else
      team_->run(copy);
  }
  const std::chrono::duration<double, std::milli> busy = Clock::now() - begin;
  copies.done(busy.count(), swap_failure_);
}

// Whoever is told wakes up, often on this core: so a step that waits begins first, and the other threads compute meanwhile.
// The same goes for the thread that finds masks.
void Executor::tell() {
  if (!outcome_) return;
  background_.wake();
  Outcome outcome = std::move(*outcome_);
  outcome_.reset();
  outcome.done(std::move(outcome.words), std::move(outcome.error));
}

std::shared_ptr<const Program> Executor::program_of(const std::vector<int32_t>& words) {
  std::lock_guard lock(mutex_);
  KV_CHECK(!words.empty() && words[0] >= 0 && words[0] < static_cast<int>(programs_.size()), "KV_NATIVE",
           "step: no such program, there are ", programs_.size());
  stats_.arena_bytes = std::max(stats_.arena_bytes, programs_[words[0]]->arena_bytes());
  return programs_[words[0]];
}

std::vector<int32_t> Executor::results_of(const std::vector<int32_t>& words) {
  const std::shared_ptr<const Program> held = program_of(words);
  const Program& program = *held;
  if (static_cast<int64_t>(arena_.size()) < program.arena_bytes()) arena_ = AnonymousMemory(program.arena_bytes());
  StepLimits limits = program.limits();
  limits.slots = options_.slots;
  limits.pages = kv_.pages;
  parse_step(words, limits, buffers_);
  for (size_t i = 0; i < buffers_.copies.size(); i += 2) copy_page(buffers_.copies[i], buffers_.copies[i + 1]);

  const StepInputs inputs = {
      .tokens = buffers_.tokens,
      .rows = buffers_.rows,
      .token_ids = buffers_.token_ids.data(),
      .sequences = buffers_.sequences(),
      .seq_slot = buffers_.seq_slot.data(),
      .row_index = buffers_.row_index.data(),
      .row_slot = buffers_.row_slot.data(),
      .row_position = buffers_.row_position.data(),
      .row_target = buffers_.row_target.data(),
      .slots = slots_.data(),
      .last_sampled = last_sampled_.data(),
      .results = buffers_.results.data(),
  };
  const Bindings bindings = {.weights = weights_.get(),
                             .kv = kv_,
                             .arena = arena_.data(),
                             .attention = attention_.data(),
                             .kernels = kernels_,
                             .profile = profile_ && words[0] == 0 ? &*profile_ : nullptr};
  team_->run([&](const Worker& worker) {
    if (worker.index == 0) tell();
    run_tape(program, bindings, inputs, worker);
  });
  return result_words(buffers_, program, slots_);
}

// Neighbours together, so that what two pages of the cache share of a page of the system goes, too.
void Executor::run(Release& release) {
  std::vector<int32_t>& pages = release.pages;
  std::sort(pages.begin(), pages.end());
  for (size_t begin = 0, end; begin < pages.size(); begin = end) {
    end = begin + 1;
    while (end < pages.size() && pages[end] == pages[end - 1] + 1) ++end;
    kv_memory_.forget(kv_.head_page(0, pages[begin], 0), kv_.page_bytes() * (end - begin));
  }
}

void Executor::copy_page(int from, int to) {
  std::copy_n(kv_.head_page(0, from, 0), kv_.page_bytes(), kv_.head_page(0, to, 0));
}

}  // namespace kvasir
