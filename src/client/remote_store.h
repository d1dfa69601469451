// The backend that asks the server of this node. Every call says what happens while there is none: a miss, no
// room, or an error, at once.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include <terrace/client.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "client/event_router.h"
#include "client/link.h"
#include "client/region_list.h"
#include "client/running.h"
#include "client/subscribers.h"
#include "surface/backend.h"

namespace terrace::client {

class RemoteStore final : public surface::Backend, public std::enable_shared_from_this<RemoteStore> {
 public:
  static Outcome<std::shared_ptr<RemoteStore>> connect(const ClientOptions& options,
                                                       const ClientParts& parts = system_parts());

  Outcome<Key> open_namespace(const Namespace& fields) override;
  Result<std::vector<ReserveAnswer>> reserve(const ReserveRequest& request) override;
  Result<std::vector<ReserveAnswer>> reserve_wait(const ReserveRequest& request, Timeout timeout) override;
  Result<void> commit(std::span<Reservation> reservations, const Notify& notify) override;
  Result<std::vector<ReserveOutcome>> put(const ReserveRequest& request, std::span<const RegionSlice> from,
                                          const Notify& notify) override;
  Result<LookupResult> lookup(std::span<const Key> keys, bool pin) override;
  Result<FamilyLookup> lookup_families(std::span<const Key> families, const FamilyLayout& layout) override;
  Result<LookupOperation> lookup_async(std::span<const Key> keys, Timeout timeout,
                                       const Notify& notify) override;
  Result<Blocks> get(std::span<const Key> keys, const GetOptions& options) override;
  Result<GetOperation> get_async(std::span<const Key> keys, const GetOptions& options,
                                 const Notify& notify) override;
  Result<IntoOperation> get_into(std::span<const Key> keys, std::span<const RegionSlice> to,
                                 const GetOptions& options, const Notify& notify) override;
  Result<PrefetchTicket> prefetch(std::span<const Key> keys, const PrefetchOptions& options,
                                  const Notify& notify) override;
  Result<RegionId> register_region(void* data, uint64_t bytes) override;
  Result<RegionId> register_shared_region(int fd, uint64_t offset, uint64_t bytes) override;
  Result<void> unregister_region(RegionId region) override;
  Result<uint64_t> remove(std::span<const Key> keys, bool erase) override;
  Result<uint64_t> clear(const ClearScope& scope) override;
  std::shared_ptr<CompletionQueue> make_queue() override;
  std::shared_ptr<Subscription> subscribe() override;
  Result<void> sync(Timeout timeout) override;
  bool wait_recovered(Timeout timeout) override;
  StoreStats stats() const override;
  std::vector<StoredNamespace> namespaces() const override;
  KeyStory why(const Key& key) const override;
  std::vector<StoredBlock> list(std::optional<Key> root, std::optional<Key> after,
                                size_t limit) const override;
  Result<uint64_t> set_l1_mode(L1Mode mode) override;
  Result<uint64_t> set_quota(const std::string& tenant, const TenantQuota& quota) override;
  std::vector<TenantUsage> tenants() const override;
  Result<uint64_t> drain_tier(std::string_view name, Timeout timeout) override;
  Result<void> resume_tier(std::string_view name) override;
  Result<uint64_t> close(Timeout timeout) override;

  void abort(uint64_t token) override TERRACE_EXCLUDES(mutex_);
  uint64_t l1_budget() const override { return l1_bytes_.load(); }
  void count_behind_hole(std::span<const Key>) override {}  // the server counts what it is asked for

 private:
  // A buffer that was given and is not committed.
  struct Given {
    std::shared_ptr<Connection> connection;
    uint64_t number = 0;
    std::shared_ptr<const memory::Mapping> mapping;
  };
  RemoteStore(const ClientOptions& options, const ClientParts& parts);

  Result<void> check(size_t keys) const;
  // For what the server needs `wait` for.
  base::TimePoint deadline(Timeout wait = {}) const;
  Timeout timeout_of(const GetOptions& options) const;
  // Errors: kInvalidArgument for a queue of another store.
  Result<Recipient> recipient_of(const Notify& notify) const;
  Result<std::vector<ReserveAnswer>> reserve(const ReserveRequest& request, uint64_t wait_ms,
                                             base::TimePoint deadline);
  Result<std::vector<ReserveAnswer>> answers_of(const wire::Reserved& reserved, const ReserveRequest& request,
                                                const std::shared_ptr<Connection>& connection);
  Result<uint64_t> removed(Result<Reply> answer) const;
  // A question of whoever runs the server. Errors: kUnavailable while it is away.
  template <class T>
  Result<Reply> ask(wire::Body type, const Connection::Make& make, Timeout wait = {}) const;
  Result<uint64_t> amount(wire::Body type, const Connection::Make& make, Timeout wait = {}) const;
  std::function<void()> looking();
  // The bell follows every connection from now on.
  void add(std::shared_ptr<Bell> bell) TERRACE_EXCLUDES(mutex_);
  Result<std::shared_ptr<RemoteGet>> begin_get(std::span<const Key> keys, const GetOptions& options,
                                               Recipient recipient);
  uint64_t prefetch_of(const GetOptions& options, const Connection& connection) const;
  void look();
  void changed(const std::shared_ptr<Connection>& connection) TERRACE_EXCLUDES(mutex_);
  void watch(const std::shared_ptr<Running>& running) TERRACE_EXCLUDES(mutex_);
  size_t intos_running() TERRACE_EXCLUDES(mutex_);

  const ClientOptions options_;
  const ClientParts parts_;
  base::Clock& clock_;
  const std::shared_ptr<EventRouter> events_ = std::make_shared<EventRouter>();  // connections outlive us
  const std::shared_ptr<Subscribers> subscribers_ = std::make_shared<Subscribers>();
  RegionList regions_;
  mutable Link link_;
  std::atomic<uint64_t> l1_bytes_{0};
  std::atomic<Timeout> server_timeout_{Timeout{}};
  std::atomic<bool> closed_{false};

  base::Mutex mutex_;
  boost::unordered_flat_map<uint64_t, Given> given_ TERRACE_GUARDED_BY(mutex_);
  uint64_t last_token_ TERRACE_GUARDED_BY(mutex_) = 0;
  std::vector<std::weak_ptr<Bell>> bells_ TERRACE_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<Running>> running_ TERRACE_GUARDED_BY(mutex_);  // that may be given up
};

}  // namespace terrace::client
