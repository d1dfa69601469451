#include "lab/kit/steady_load.h"

#include <thread>

#include <fmt/format.h>

#include "base/bytes.h"
#include "lab/kit/oracle.h"

namespace terrace::lab {
namespace {

constexpr Writer kWriter = 1;  // a key names its bytes: they are the same in every life
constexpr Timeout kTimeout = std::chrono::seconds(20);

Key key_of(uint64_t seed, uint64_t chain, uint64_t index) {
  Key key;
  uint64_t state = seed * 0x9E3779B97F4A7C15ull + chain * 1'000'003 + index;
  for (size_t i = 0; i < 4; ++i) base::store_le(key.bytes.data() + 8 * i, base::split_mix(state));
  return key;
}

}  // namespace

void LoadCounts::add(const LoadCounts& other) {
  steps += other.steps;
  asked += other.asked;
  delivered += other.delivered;
  stored += other.stored;
}

SteadyLoad::SteadyLoad(Store& store, const LoadOptions& options) : store_(store), options_(options) {
  Namespace fields;
  fields.model_id = fmt::format("lab-load-{}", options.seed);
  root_ = store.open_namespace(fields).value_or(Key{});
}

std::vector<Key> SteadyLoad::draw(base::Random& random) const {
  const double skewed = random.unit() * random.unit();
  const auto chain = static_cast<uint64_t>(skewed * options_.chains);
  const uint64_t count = 1 + random.below(options_.chain_blocks);
  std::vector<Key> keys;
  for (uint64_t i = 0; i < count; ++i) keys.push_back(key_of(options_.seed, chain, i));
  return keys;
}

bool SteadyLoad::ended(const Error& error, const char* what, Findings& findings) const {
  if (stopping.load() && error.code == Code::kClosed) return true;
  findings.count("client_errors");
  findings.fail(fmt::format("{}: {}", what, to_string(error)));
  return false;
}

// Verified.
Result<Blocks> SteadyLoad::get(std::span<const Key> keys, Findings& findings) const {
  GetOptions within;
  within.timeout = kTimeout;
  auto blocks = store_.get(keys, within);
  if (!blocks) return blocks;
  for (const BlockView& view : blocks->views()) {
    const Verdict verdict = verify(view.key, view.bytes, kWriter);
    if (!verdict.right || verdict.writer != kWriter)
      findings.fail_wrong(describe(view.key, view.bytes, verdict));
  }
  return blocks;
}

bool SteadyLoad::step(base::Random& random, LoadCounts& counts, Findings& findings) {
  const std::vector<Key> keys = draw(random);
  counts.steps++;
  counts.asked += keys.size();
  const auto blocks = get(keys, findings);
  if (!blocks) return !ended(blocks.error(), "get", findings);
  counts.delivered += blocks->size();
  if (blocks->size() == keys.size()) return true;
  std::vector<BlockSpec> missing;
  for (size_t i = blocks->size(); i < keys.size(); ++i) missing.push_back({keys[i], options_.bytes, {}, {}});
  const Key parent = blocks->size() == 0 ? Key{} : keys[blocks->size() - 1];
  auto answers = store_.reserve({root_, parent, missing});
  if (!answers) return !ended(answers.error(), "reserve", findings);
  std::vector<Reservation> filled;
  for (ReserveAnswer& answer : *answers) {
    if (!answer.reservation) continue;
    fill(answer.reservation.key(), kWriter, answer.reservation.bytes());
    filled.push_back(std::move(answer.reservation));
  }
  counts.stored += filled.size();
  const auto committed = store_.commit(filled, {});
  return committed || !ended(committed.error(), "commit", findings);
}

uint64_t SteadyLoad::present(uint64_t seed, uint64_t picks, Findings& findings) const {
  base::Random random(seed);
  uint64_t found = 0;
  for (uint64_t i = 0; i < picks; ++i) {
    const auto answer = store_.lookup(draw(random));
    if (answer) found += answer->found;
    if (!answer) (void)ended(answer.error(), "lookup", findings);
  }
  return found;
}

uint64_t SteadyLoad::fetched(uint64_t seed, uint64_t picks, Findings& findings) const {
  base::Random random(seed);
  uint64_t found = 0;
  for (uint64_t i = 0; i < picks; ++i) {
    const auto blocks = get(draw(random), findings);
    if (blocks) found += blocks->size();
    if (!blocks) (void)ended(blocks.error(), "get", findings);
  }
  return found;
}

struct LoadThreads::Thread {
  LoadCounts counts;
  Findings findings;
  std::jthread thread;
};

LoadThreads::LoadThreads(SteadyLoad& load, uint32_t threads, uint64_t seed) {
  for (uint32_t number = 0; number < threads; ++number) {
    threads_.push_back(std::make_unique<Thread>());
    Thread& mine = *threads_.back();
    mine.thread = std::jthread([this, &load, &mine, state = seed * 64 + number] {
      base::Random random(state);
      while (!done_.load() && load.step(random, mine.counts, mine.findings)) steps_++;
    });
  }
}

LoadThreads::~LoadThreads() {
  done_ = true;
}

LoadCounts LoadThreads::stop(Findings& findings) {
  done_ = true;
  LoadCounts sum;
  for (const auto& thread : threads_) {
    thread->thread.join();
    sum.add(thread->counts);
    findings.add(thread->findings);
  }
  threads_.clear();
  return sum;
}

}  // namespace terrace::lab
