// Open, waiting, statistics, close (D3).
#include <algorithm>
#include <new>
#include <system_error>

#include "base/assert.h"
#include "base/hooks.h"
#include "base/log.h"
#include "policy/eviction.h"
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

namespace {

// C3; `share` of the budget, which no store without an arena has.
uint64_t credit_or(uint64_t configured, const L1Options& l1, uint64_t share) {
  constexpr uint64_t kMost = 256 * base::kMiB;
  if (configured != 0) return configured;
  return l1.mode == L1Mode::kOff ? kMost : std::min<uint64_t>(kMost, l1.budget / share);
}

// The default counts payloads, the bound records: four blocks of an eighth of L1 are half of it, headers or
// not.
uint64_t store_credit(const StoreOptions& options) {
  const uint64_t bytes = credit_or(options.store_bytes_in_flight, options.l1, 2);
  const uint64_t block = options.l1.largest_block;
  if (options.store_bytes_in_flight != 0 || block == 0) return bytes;
  return std::max(bytes, bytes / block * record::record_bytes(block));
}

}  // namespace

class StorageManager::Listener final : public tier::TierListener {
 public:
  Listener(StorageManager& manager, uint32_t tier) : manager_(manager), tier_(tier) {}
  std::vector<uint32_t> found(std::span<const tier::FoundBlock> blocks) override {
    return manager_.found(tier_, blocks);
  }
  void recovered(Result<void> result) override { manager_.recovered(tier_, result); }
  void gone(const Key& key, tier::Place place) override { manager_.gone(tier_, key, place); }
  void state_changed() override { manager_.state_changed(tier_); }

 private:
  StorageManager& manager_;
  const uint32_t tier_;
};

StorageManager::StorageManager(const StoreOptions& options, StoreParts parts)
    : options_(options),
      store_credit_max_(store_credit(options)),
      prefetch_credit_max_(credit_or(options.prefetch_bytes_in_flight, options.l1, 4)),
      parts_(std::move(parts)),
      clock_(*parts_.clock),
      executor_(*parts_.executor),
      history_(options.history),
      mode_(options.l1.mode),
      namespaces_(tenants_),
      changes_(namespaces_),
      blocks_(index_) {
  blocks_.tell(changes_);
}

StorageManager::~StorageManager() {
  // The last handle is gone; a store that was never closed is closed here, without waiting for long.
  close(std::chrono::seconds(2)).value_or(0);
  warmer_ = {};  // joins: it touches the arena
}

Outcome<std::shared_ptr<StorageManager>> StorageManager::create(const StoreOptions& options,
                                                                StoreParts parts) {
  if (auto ok = options.validate(); !ok) return std::unexpected(ok.error());
  std::shared_ptr<StorageManager> manager(new StorageManager(options, std::move(parts)));
  if (auto ok = manager->build(); !ok) return std::unexpected(ok.error());
  TERRACE_CRASH_POINT("store.open_built");
  manager->start_tiers();
  return manager;
}

Outcome<TierState> StorageManager::make_tier(uint32_t number, std::unique_ptr<tier::Tier> tier) {
  TierState state;
  if (number <= options_.tiers.size()) state.options = options_.tiers[number - 1];
  auto eviction = policy::make_eviction_policy(state.options.eviction);
  if (!eviction) return std::unexpected(eviction.error());
  auto store = policy::make_store_policy(state.options.store_policy);
  if (!store) return std::unexpected(store.error());
  auto admission = policy::make_admission_policy(state.options.admission);
  if (!admission) return std::unexpected(admission.error());
  (*admission)->configure({state.options.write_bytes_per_second, state.options.write_bytes_per_day});
  state.name = number <= options_.tiers.size() ? state.options.name : std::string(tier->name());
  state.shared = !tier->capabilities().exact_index;
  state.tier = std::move(tier);
  state.residency = std::make_unique<Residency>(number, blocks_, std::move(*eviction));
  state.store_policy = std::move(*store);
  state.admission = std::move(*admission);
  state.listener = std::make_unique<Listener>(*this, number);
  for (const auto& known : state.tier->namespaces()) describe(known);
  return state;
}

Outcome<void> StorageManager::build() {
  const memory::ArenaOptions arena{options_.l1.budget, 0, options_.l1.largest_block};
  const auto segment = memory::arena_segment_bytes(
      arena, options_.l1.largest_block == 0 ? 0 : record::record_bytes(options_.l1.largest_block));
  if (!segment) return std::unexpected(segment.error());
  auto l1_policy = policy::make_eviction_policy(options_.l1.eviction);
  if (!l1_policy) return std::unexpected(l1_policy.error());
  const uint64_t segments = mode_ == L1Mode::kOff ? 0 : options_.l1.budget / *segment;
  auto memory =
      std::make_unique<memory::Arena>(std::move(parts_.segments), *segment, static_cast<uint32_t>(segments));
  l1_segment_bytes_ = *segment;
  for (const std::string& warning : options_.warnings()) base::log::warn("{}", warning);
  Lock lock(mutex_);
  L1::Hooks hooks;
  hooks.left = [this](BlockId block, MissReason reason)
                   TERRACE_THREAD(no_thread_safety_analysis) { left(block, reason); };
  hooks.owed = [this](BlockId block)
                   TERRACE_THREAD(no_thread_safety_analysis) { return owes_ && write_down(block); };
  hooks.freed = [this](Buffer& buffer) TERRACE_THREAD(no_thread_safety_analysis) { freed(buffer); };
  l1_ = std::make_unique<L1>(std::move(memory), std::move(*l1_policy), blocks_, std::move(hooks));
  for (uint32_t i = 0; i < parts_.tiers.size(); ++i) {
    auto tier = make_tier(i + 1, std::move(parts_.tiers[i]));
    if (!tier) return std::unexpected(tier.error());
    owes_ = owes_ || tier->store_policy->owes();
    writes_on_hit_ = writes_on_hit_ || (tier->store_policy->writes(policy::StoreMoment::kSeenAgain, {}) &&
                                        !tier->store_policy->writes(policy::StoreMoment::kCommitted, {}));
    tiers_.push_back(std::move(*tier));
  }
  visible_.store(mode_ == L1Mode::kCache ? tier_bit(kL1) : 0);
  for (const TenantOptions& quota : options_.quotas) {
    const TenantId tenant = tenants_.number(quota.tenant);
    tenants_.quota(tenant) = quota.quota;
    apply_quota(tenant);
  }
  return {};
}

void StorageManager::start_tiers() {
  const auto tiers = tier_pointers();
  for (uint32_t i = 0; i < tiers.size(); ++i) {
    tier::TierListener* listener = nullptr;
    {
      Lock lock(mutex_);
      tiers_[i].capacity = tiers[i]->status().usage.capacity_bytes;
      listener = tiers_[i].listener.get();
    }
    tiers[i]->start(*listener);
    state_changed(i + 1);
  }
}

std::vector<tier::Tier*> StorageManager::tier_pointers() const {
  Lock lock(mutex_);
  std::vector<tier::Tier*> tiers;
  for (const TierState& state : tiers_) tiers.push_back(state.tier.get());
  return tiers;
}

Outcome<Key> StorageManager::open_namespace(const Namespace& fields) {
  auto root = namespace_root(fields);
  if (!root) return root;
  tier::KnownNamespace known{*root, fields, true};
  if (fields.tenant_salt) known.fields.tenant_salt = tenant_name(*fields.tenant_salt);
  {
    Lock lock(mutex_);
    if (namespaces_[namespaces_.number(*root)].known) return root;
    describe(known);
  }
  for (tier::Tier* tier : tier_pointers()) tier->remember_namespace(known);
  return root;
}

// --- waiting

bool StorageManager::wait_recovered(Timeout timeout) {
  const auto deadline = deadline_of(timeout);
  for (;;) {
    uint64_t mark = 0;
    {
      Lock lock(mutex_);
      mark = progress_;
      if (std::ranges::all_of(tiers_, [](const TierState& state) { return state.recovered; })) return true;
    }
    if (!wait_progress(mark, deadline)) return false;
  }
}

base::TimePoint StorageManager::deadline_of(Timeout timeout) const {
  return base::after(clock_.now(), timeout == kDefaultTimeout ? options_.get_timeout : timeout);
}

uint64_t StorageManager::progress() const {
  Lock lock(mutex_);
  return progress_;
}

void StorageManager::progress_made() {
  check_quotas();
  ++progress_;
  if (TERRACE_MUTANT("store.forget_waiters")) progress_waiters_.clear();
  for (const auto& waiter : progress_waiters_) executor_.signal(*waiter);
  progress_waiters_.clear();
}

bool StorageManager::wait_progress(uint64_t mark, base::TimePoint deadline) {
  auto event = std::make_shared<base::Event>();
  {
    Lock lock(mutex_);
    if (progress_ != mark) return true;
    progress_waiters_.push_back(event);
  }
  if (executor_.wait(*event, deadline)) return true;
  Lock lock(mutex_);
  std::erase(progress_waiters_, event);
  return false;
}

uint64_t StorageManager::running() const {
  return committed_.size() + writes_.size() + loads_running_ + intos_running_ + removals_running_;
}

Result<void> StorageManager::sync(Timeout timeout) {
  const auto deadline = deadline_of(timeout);
  for (;;) {
    uint64_t mark = 0;
    {
      Lock lock(mutex_);
      mark = progress_;
      if (writes_.empty() && committed_.empty()) break;
    }
    if (!wait_progress(mark, deadline)) return fail(Code::kDeadline, "writes are still under way");
  }
  TERRACE_CRASH_POINT("store.sync_begun");
  for (tier::Tier* tier : tier_pointers()) {
    struct Answer {
      base::Event event;
      Result<void> result;
    };
    auto answer = std::make_shared<Answer>();
    tier->sync([this, answer](Result<void> result) {
      answer->result = result;
      executor_.signal(answer->event);
    });
    if (!executor_.wait(answer->event, deadline)) return fail(Code::kDeadline, "a tier is still syncing");
    if (!answer->result) return answer->result;
  }
  return {};
}

Result<uint64_t> StorageManager::close(Timeout timeout) {
  if (closed_.exchange(true)) return 0;
  TERRACE_SYNC_POINT("store.closed");
  const auto deadline = deadline_of(timeout);
  std::vector<std::shared_ptr<PrefetchFlow>> waiting;
  {
    Lock lock(mutex_);
    waiting.assign(prefetches_.begin(), prefetches_.end());
  }
  for (const auto& prefetch : waiting) cancel(prefetch);
  uint64_t abandoned = 0;
  for (;;) {
    uint64_t mark = 0;
    {
      Lock lock(mutex_);
      mark = progress_;
      abandoned = running();
    }
    if (abandoned == 0 || !wait_progress(mark, deadline)) break;
  }
  TERRACE_CRASH_POINT("store.close_drained");
  for (tier::Tier* tier : tier_pointers()) abandoned += tier->close(deadline);
  visible_.store(mode_ == L1Mode::kCache ? tier_bit(kL1) : 0);
  TERRACE_CRASH_POINT("store.close_tiers_closed");
  // What is posted still refers to the store: let it run, so that the last reference is not the executor's.
  auto drained = std::make_shared<base::Event>();
  executor_.post([this, drained] { executor_.signal(*drained); });
  executor_.wait(*drained, base::after(clock_.now(), std::chrono::seconds(1)));
  return abandoned;
}

// --- telling

StoreStats StorageManager::stats() const {
  std::vector<tier::Status> statuses;
  for (tier::Tier* tier : tier_pointers()) statuses.push_back(tier->status());
  StoreStats stats;
  Lock lock(mutex_);
  TierStats l1 = l1_counts_;
  l1.name = "l1";
  l1.state = "ready";
  l1.used_bytes = l1_->used_bytes();
  l1.allocated_bytes = l1_->arena().mapped_bytes();
  l1.capacity_bytes = l1_->budget();
  l1.blocks = l1_->residency().blocks();
  l1.evictions = l1_->evictions();
  l1.evicted_segments = l1_->evicted_segments();
  stats.tiers.push_back(std::move(l1));
  for (size_t i = 0; i < tiers_.size(); ++i) {
    TierStats tier = tiers_[i].counts;
    tier.name = tiers_[i].name;
    tier.state = to_string(condition_of(static_cast<uint32_t>(i + 1), statuses[i].state));
    tier.engine = statuses[i].engine;
    tier.last_error = statuses[i].last_error;
    tier.used_bytes = statuses[i].usage.used_bytes;
    tier.allocated_bytes = statuses[i].usage.allocated_bytes;
    tier.capacity_bytes = statuses[i].usage.capacity_bytes;
    tier.blocks = tiers_[i].residency->blocks();
    tier.read_latency = summary(tiers_[i].latencies->reads);
    tier.write_latency = summary(tiers_[i].latencies->writes);
    for (const auto& path : statuses[i].paths) {
      tier.paths.push_back(path.path + ": " + std::string(to_string(path.state)) +
                           (path.last_error.empty() ? "" : " (" + path.last_error + ")"));
    }
    stats.recovering = stats.recovering || !tiers_[i].recovered;
    stats.tiers.push_back(std::move(tier));
  }
  stats.page_state = l1_->arena().page_state();
  stats.keys_asked = keys_.all().asked;
  stats.keys_delivered = keys_.all().delivered;
  std::ranges::copy(keys_.all().misses, stats.misses);
  stats.of_no_namespace = keys_.of_none();
  stats.reservations = reservations_;
  stats.reserved_bytes = reserved_bytes_;
  stats.leased_blocks = leased_;
  stats.private_bytes = l1_->private_bytes();
  stats.writes_in_flight_bytes = write_bytes_;
  return stats;
}

std::vector<StoredNamespace> StorageManager::namespaces() const {
  std::vector<StoredNamespace> result;
  Lock lock(mutex_);
  for (const auto& known : namespaces_.all()) {
    const auto number = static_cast<uint32_t>(result.size());
    result.push_back({known.root, known.fields, known.known, 0, 0, keys_.of(number)});
  }
  for (BlockId id = 0; id < blocks_.capacity(); ++id) {
    const Block& block = blocks_[id];
    if (block.refs == 0 || (block.mask & ~kInFlightBit) == 0 || block.name_space == kNoNamespace) continue;
    ++result[block.name_space].blocks;
    result[block.name_space].bytes += bytes_of(id);
  }
  return result;
}

uint64_t StorageManager::bytes_of(BlockId block) const {
  if (const Buffer* buffer = l1_->find(block)) return buffer->meta.payload_bytes;
  for (const TierState& state : tiers_) {
    const ResidenceId id = state.residency->find(block);
    if (id != kNoResidence) return (*state.residency)[id].payload_bytes;
  }
  return 0;
}

std::vector<StoredBlock> StorageManager::list(std::optional<Key> root, std::optional<Key> after,
                                              size_t limit) const {
  std::vector<StoredBlock> result;
  Lock lock(mutex_);
  for (BlockId id = 0; id < blocks_.capacity(); ++id) {
    const Block& block = blocks_[id];
    const auto where = static_cast<TierMask>(block.mask & ~kInFlightBit);
    if (block.refs == 0 || where == 0) continue;
    const Key& name_space = namespaces_[block.name_space].root;
    if (root && name_space != *root) continue;
    if (after && block.key <= *after) continue;
    result.push_back({block.key, name_space, where, bytes_of(id)});
  }
  std::ranges::sort(result, {}, &StoredBlock::key);
  if (result.size() > limit) result.resize(limit);
  return result;
}

// --- the rest

std::shared_ptr<CompletionQueue> StorageManager::make_queue() {
  return std::make_shared<EventQueue>(executor_, clock_);
}

std::shared_ptr<Subscription> StorageManager::subscribe(ScopePtr scope) {
  auto feed = std::make_shared<ChangeFeed>(shared_from_this(), executor_, clock_, std::move(scope));
  Lock lock(mutex_);
  changes_.add(feed);
  return feed;
}

}  // namespace terrace::store
