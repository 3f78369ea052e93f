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

Error error_now() {
  try {
    throw;
  } catch (const Error& known) {
    return known;
  } catch (const std::exception& other) {
    return Error("KV_NATIVE", other.what());
  }
}

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
    : options_(options),
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
  try {
    thread_ = std::thread([this] { serve(); });
  } catch (const std::system_error& error) {
    throw Error("KV_NATIVE", text("threads: this system has none left (", error.what(), "); dispose other models"));
  }
}

void Executor::push(Job job) {
  std::lock_guard lock(mutex_);
  KV_CHECK(!stopping_, "KV_DISPOSED", "the executor was disposed");
  queue_.push_back(std::move(job));
  changed_.notify_one();
}

void Executor::open(int slot, SamplerParams params, std::vector<int32_t> prompt) {
  KV_CHECK(slot >= 0 && slot < options_.slots, "KV_NATIVE", "open: slot ", slot, " of ", options_.slots);
  Job job;
  job.slot = slot;
  job.params = std::move(params);
  job.prompt = std::move(prompt);
  push(std::move(job));
}

void Executor::release(std::vector<int32_t> pages) {
  for (const int32_t page : pages)
    KV_CHECK(page >= 0 && page < kv_.pages, "KV_NATIVE", "release: page ", page, " of ", kv_.pages);
  if (pages.empty()) return;
  Job job;
  job.pages = std::move(pages);
  push(std::move(job));
}

void Executor::submit(std::vector<int32_t> words, Done done) {
  Job job;
  job.words = std::move(words);
  job.done = std::move(done);
  push(std::move(job));
}

void Executor::swap(std::vector<int32_t> copies, Swapped done) {
  check_swap(copies, kv_.pages, options_.swap.pages);
  Job job;
  job.words = std::move(copies);
  job.swapped = std::move(done);
  push(std::move(job));
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
  std::deque<Job> dropped;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  background_.stop();
  team_.reset();
  for (Job& job : dropped) {
    if (job.done) job.done({}, Error("KV_DISPOSED", "the executor was disposed before this step ran"));
    if (job.swapped) job.swapped(0, Error("KV_DISPOSED", "the executor was disposed before this swap ran"));
  }
}

ExecutorStats Executor::stats() const {
  std::lock_guard lock(mutex_);
  ExecutorStats stats = stats_;
  stats.format_path = background_.timings().path.summary();
  stats.format_beside = background_.timings().beside.summary();
  return stats;
}

void Executor::serve() {
  if (options_.background) lower_priority();
  std::unique_lock lock(mutex_);
  while (true) {
    if (outcome_ && queue_.empty()) {
      lock.unlock();
      tell();
      lock.lock();
    }
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    if (job.done)
      run_step(job);
    else if (job.swapped)
      run_swap(job);
    else if (!job.pages.empty())
      forget_pages(job.pages);
    else
      open_slot(job);
    lock.lock();
  }
}

void Executor::open_slot(Job& job) {
  std::sort(job.prompt.begin(), job.prompt.end());
  job.prompt.erase(std::unique(job.prompt.begin(), job.prompt.end()), job.prompt.end());
  SequenceSlot& slot = slots_[job.slot];
  slot = {std::move(job.params), {}, std::move(job.prompt), {}, {}};
  if (const SamplerParams& params = slot.params; params.grammar)
    slot.matcher = std::make_shared<grammar::Matcher>(params.grammar, params.grammar_budget, &background_);
  background_.wake();
  last_sampled_[job.slot] = 0;
}

void Executor::run_step(Job& job) {
  const auto begin = Clock::now();
  std::vector<int32_t> result;
  std::optional<Error> error;
  try {
    result = run(job.words);
  } catch (...) {
    error = error_now();
  }
  const std::chrono::duration<double, std::milli> busy = Clock::now() - begin;
  tell();  // of the step before, where this one could not begin
  outcome_ = {std::move(job.done), std::move(result), std::move(error)};
  std::lock_guard lock(mutex_);
  ++stats_.steps;
  stats_.busy_ms += busy.count();
}

// On all threads where there is much to copy; waking them takes longer than a few pages. The first failure of a thread is
// that of the swap, and of all that follow: what a place holds is not known any more.
void Executor::run_swap(const Job& job) {
  tell();  // who waits for the step before need not wait for the copies
  const auto begin = Clock::now();
  if (!swap_failure_) {
    std::mutex failing;
    const auto copy = [&](const Worker& worker) {
      try {
        swap_->copy(job.words, worker);
      } catch (...) {
        std::lock_guard lock(failing);
        swap_failure_ = error_now();
      }
    };
    if (static_cast<int64_t>(job.words.size() / 2) * kv_.page_bytes() < kSwapAlone)
      copy(Worker{});
    else
      team_->run(copy);
  }
  const std::chrono::duration<double, std::milli> busy = Clock::now() - begin;
  job.swapped(busy.count(), swap_failure_);
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

std::vector<int32_t> Executor::run(const std::vector<int32_t>& words) {
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
void Executor::forget_pages(std::vector<int32_t>& pages) {
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
