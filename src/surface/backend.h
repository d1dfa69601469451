// What stands behind a terrace::Store: the store of this process (src/store), or the server of this node
// (src/client). Calls are terrace::Store's; see there.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <terrace/store.h>

namespace terrace::surface {

class Backend {
 public:
  virtual ~Backend() = default;

  virtual Outcome<Key> open_namespace(const Namespace& fields) = 0;

  virtual Result<std::vector<ReserveAnswer>> reserve(const ReserveRequest& request) = 0;
  virtual Result<std::vector<ReserveAnswer>> reserve_wait(const ReserveRequest& request, Timeout timeout) = 0;
  virtual Result<void> commit(std::span<Reservation> reservations, const Notify& notify) = 0;
  virtual Result<std::vector<ReserveOutcome>> put(const ReserveRequest& request,
                                                  std::span<const RegionSlice> from,
                                                  const Notify& notify) = 0;

  virtual Result<LookupResult> lookup(std::span<const Key> keys, bool pin) = 0;
  virtual Result<FamilyLookup> lookup_families(std::span<const Key> families, const FamilyLayout& layout) = 0;
  virtual Result<LookupOperation> lookup_async(std::span<const Key> keys, Timeout timeout,
                                               const Notify& notify) = 0;
  virtual Result<Blocks> get(std::span<const Key> keys, const GetOptions& options) = 0;
  virtual Result<GetOperation> get_async(std::span<const Key> keys, const GetOptions& options,
                                         const Notify& notify) = 0;
  virtual Result<IntoOperation> get_into(std::span<const Key> keys, std::span<const RegionSlice> to,
                                         const GetOptions& options, const Notify& notify) = 0;
  virtual Result<PrefetchTicket> prefetch(std::span<const Key> keys, const PrefetchOptions& options,
                                          const Notify& notify) = 0;

  virtual Result<RegionId> register_region(void* data, uint64_t bytes) = 0;
  virtual Result<RegionId> register_shared_region(int fd, uint64_t offset, uint64_t bytes) = 0;
  virtual Result<void> unregister_region(RegionId region) = 0;

  virtual Result<uint64_t> remove(std::span<const Key> keys, bool erase) = 0;
  virtual Result<uint64_t> clear(const ClearScope& scope) = 0;

  virtual std::shared_ptr<CompletionQueue> make_queue() = 0;
  virtual std::shared_ptr<Subscription> subscribe() = 0;
  virtual Result<void> sync(Timeout timeout) = 0;
  virtual bool wait_recovered(Timeout timeout) = 0;
  virtual StoreStats stats() const = 0;
  virtual std::vector<StoredNamespace> namespaces() const = 0;
  virtual Result<uint64_t> set_quota(const std::string& tenant, const TenantQuota& quota) = 0;
  virtual std::vector<TenantUsage> tenants() const = 0;
  virtual KeyStory why(const Key& key) const = 0;
  virtual std::vector<StoredBlock> list(std::optional<Key> root, std::optional<Key> after,
                                        size_t limit) const = 0;

  virtual Result<uint64_t> set_l1_mode(L1Mode mode) = 0;
  virtual Result<uint64_t> drain_tier(std::string_view name, Timeout timeout) = 0;
  virtual Result<void> resume_tier(std::string_view name) = 0;
  virtual Result<uint64_t> close(Timeout timeout) = 0;

  // --- for handles
  // A reservation is given back; `token` as in surface::Access.
  virtual void abort(uint64_t token) = 0;

  // --- for streams
  // Of L1; 0 where there is none to stream through.
  virtual uint64_t l1_budget() const = 0;
  // Keys of a stream that it did not ask for any more, behind its hole (Q5).
  virtual void count_behind_hole(std::span<const Key> keys) = 0;
};

}  // namespace terrace::surface
