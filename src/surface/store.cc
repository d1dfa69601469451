// terrace::Store: the public face of a backend.
#include <terrace/store.h>

#include "surface/access.h"
#include "surface/backend.h"
#include "surface/operations.h"

namespace terrace {

Store::Store(std::shared_ptr<surface::Backend> backend) : backend_(std::move(backend)) {}

Store::~Store() {
  backend_->close(std::chrono::seconds(2)).value_or(0);
}

Outcome<Key> Store::open_namespace(const Namespace& fields) {
  return backend_->open_namespace(fields);
}

Result<std::vector<ReserveAnswer>> Store::reserve(const ReserveRequest& request) {
  return backend_->reserve(request);
}

Result<std::vector<ReserveAnswer>> Store::reserve_wait(const ReserveRequest& request, Timeout timeout) {
  return backend_->reserve_wait(request, timeout);
}

// Fences are for devices; on the host bytes are ready when the call is made (S6).
Result<void> Store::commit(std::span<Reservation> reservations, Notify notify, Fence) {
  return backend_->commit(reservations, notify);
}

Result<std::vector<ReserveOutcome>> Store::put(const ReserveRequest& request,
                                               std::span<const RegionSlice> from, Notify notify, Fence) {
  return backend_->put(request, from, notify);
}

Result<LookupResult> Store::lookup(std::span<const Key> keys, bool pin) {
  return backend_->lookup(keys, pin);
}

Result<FamilyLookup> Store::lookup_families(std::span<const Key> families, const FamilyLayout& layout) {
  return backend_->lookup_families(families, layout);
}

Result<LookupOperation> Store::lookup_async(std::span<const Key> keys, Timeout timeout, Notify notify) {
  return backend_->lookup_async(keys, timeout, notify);
}

Result<Blocks> Store::get(std::span<const Key> keys, GetOptions options, Fence) {
  return backend_->get(keys, options);
}

Result<GetOperation> Store::get_async(std::span<const Key> keys, GetOptions options, Notify notify, Fence) {
  return backend_->get_async(keys, options, notify);
}

Result<IntoOperation> Store::get_into(std::span<const Key> keys, std::span<const RegionSlice> to,
                                      GetOptions options, Notify notify, Fence) {
  return backend_->get_into(keys, to, options, notify);
}

bool Store::wait(const IntoOperation& operation, Timeout timeout) {
  const auto& state = surface::Access::state_of(operation);
  return state == nullptr || state->wait(timeout);
}

Result<PrefetchTicket> Store::prefetch(std::span<const Key> keys, PrefetchOptions options, Notify notify) {
  return backend_->prefetch(keys, options, notify);
}

Result<RegionId> Store::register_region(void* data, uint64_t bytes) {
  return backend_->register_region(data, bytes);
}
Result<RegionId> Store::register_shared_region(int fd, uint64_t offset, uint64_t bytes) {
  return backend_->register_shared_region(fd, offset, bytes);
}
Result<void> Store::unregister_region(RegionId region) {
  return backend_->unregister_region(region);
}

Result<uint64_t> Store::remove(std::span<const Key> keys, bool erase) {
  return backend_->remove(keys, erase);
}
Result<uint64_t> Store::clear(const ClearScope& scope) {
  return backend_->clear(scope);
}

std::shared_ptr<CompletionQueue> Store::make_queue() {
  return backend_->make_queue();
}
std::shared_ptr<Subscription> Store::subscribe() {
  return backend_->subscribe();
}
Result<void> Store::sync(Timeout timeout) {
  return backend_->sync(timeout);
}
bool Store::wait_recovered(Timeout timeout) {
  return backend_->wait_recovered(timeout);
}
StoreStats Store::stats() const {
  return backend_->stats();
}
Result<uint64_t> Store::set_quota(const std::string& tenant, const TenantQuota& quota) {
  return backend_->set_quota(tenant, quota);
}
std::vector<TenantUsage> Store::tenants() const {
  return backend_->tenants();
}
KeyStory Store::why(const Key& key) const {
  return backend_->why(key);
}
std::vector<StoredNamespace> Store::namespaces() const {
  return backend_->namespaces();
}

std::vector<StoredBlock> Store::list(std::optional<Key> root, std::optional<Key> after, size_t limit) const {
  return backend_->list(root, after, limit);
}

Result<uint64_t> Store::set_l1_mode(L1Mode mode) {
  return backend_->set_l1_mode(mode);
}

Result<uint64_t> Store::drain_tier(std::string_view name, Timeout timeout) {
  return backend_->drain_tier(name, timeout);
}
Result<void> Store::resume_tier(std::string_view name) {
  return backend_->resume_tier(name);
}

Result<uint64_t> Store::close(Timeout timeout) {
  return backend_->close(timeout);
}

}  // namespace terrace
