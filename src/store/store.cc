// terrace::Store: the public face of StorageManager.
#include <terrace/store.h>

#include <new>
#include <system_error>

#include "store/flow_state.h"
#include "store/open_parts.h"
#include "store/storage_manager.h"

namespace terrace {

namespace {

Outcome<std::unique_ptr<Store>> open_parts_and_store(const StoreOptions& options) {
  if (auto ok = options.validate(); !ok) return std::unexpected(ok.error());
  auto parts = store::open_parts(options);
  if (!parts) return std::unexpected(parts.error());
  auto manager = store::StorageManager::create(options, std::move(*parts));
  if (!manager) return std::unexpected(manager.error());
  (*manager)->warm_in_background();
  return std::make_unique<Store>(std::move(*manager));
}

}  // namespace

// What a start lacks is said, not thrown (P7).
Outcome<std::unique_ptr<Store>> Store::open(const StoreOptions& options) {
  try {
    return open_parts_and_store(options);
  } catch (const std::bad_alloc&) {
    return failure(Code::kNoMemory, "no memory to open the store");
  } catch (const std::system_error& error) {
    return failure(Code::kUnavailable, "no thread to open the store with", error.code().value());
  }
}

Store::Store(std::shared_ptr<store::StorageManager> manager) : manager_(std::move(manager)) {}

Store::~Store() {
  manager_->close(std::chrono::seconds(2)).value_or(0);
}

Outcome<Key> Store::open_namespace(const Namespace& fields) {
  return manager_->open_namespace(fields);
}

Result<std::vector<ReserveAnswer>> Store::reserve(const ReserveRequest& request) {
  return manager_->reserve(request);
}

Result<std::vector<ReserveAnswer>> Store::reserve_wait(const ReserveRequest& request, Timeout timeout) {
  return manager_->reserve_wait(request, timeout);
}

// Fences are for devices; on the host bytes are ready when the call is made (S6).
Result<void> Store::commit(std::span<Reservation> reservations, Notify notify, Fence) {
  return manager_->commit(reservations, notify);
}

Result<std::vector<ReserveOutcome>> Store::put(const ReserveRequest& request,
                                               std::span<const RegionSlice> from, Notify notify, Fence) {
  return manager_->put(request, from, notify);
}

Result<LookupResult> Store::lookup(std::span<const Key> keys, bool pin) {
  return manager_->lookup(keys, pin);
}

Result<FamilyLookup> Store::lookup_families(std::span<const Key> families, const FamilyLayout& layout) {
  return manager_->lookup_families(families, layout);
}

Result<LookupOperation> Store::lookup_async(std::span<const Key> keys, Timeout timeout, Notify notify) {
  return manager_->lookup_async(keys, timeout, notify);
}

Result<Blocks> Store::get(std::span<const Key> keys, GetOptions options, Fence) {
  return manager_->get(keys, options);
}

Result<GetOperation> Store::get_async(std::span<const Key> keys, GetOptions options, Notify notify, Fence) {
  return manager_->get_async(keys, options, notify);
}

Result<IntoOperation> Store::get_into(std::span<const Key> keys, std::span<const RegionSlice> to,
                                      GetOptions options, Notify notify, Fence) {
  return manager_->get_into(keys, to, options, notify);
}

bool Store::wait(const IntoOperation& operation, Timeout timeout) {
  return operation.state_ == nullptr || manager_->wait(operation.state_, timeout);
}

Result<PrefetchTicket> Store::prefetch(std::span<const Key> keys, PrefetchOptions options, Notify notify) {
  return manager_->prefetch(keys, options, notify);
}

Result<RegionId> Store::register_region(void* data, uint64_t bytes) {
  return manager_->register_region(data, bytes);
}
Result<void> Store::unregister_region(RegionId region) {
  return manager_->unregister_region(region);
}

Result<uint64_t> Store::remove(std::span<const Key> keys, bool erase) {
  return manager_->remove(keys, erase);
}
Result<uint64_t> Store::clear(const ClearScope& scope) {
  return manager_->clear(scope);
}

std::shared_ptr<CompletionQueue> Store::make_queue() {
  return manager_->make_queue();
}
Result<void> Store::sync(Timeout timeout) {
  return manager_->sync(timeout);
}
bool Store::wait_recovered(Timeout timeout) {
  return manager_->wait_recovered(timeout);
}
StoreStats Store::stats() const {
  return manager_->stats();
}
KeyStory Store::why(const Key& key) const {
  return manager_->why(key);
}
std::vector<StoredNamespace> Store::namespaces() const {
  return manager_->namespaces();
}

std::vector<StoredBlock> Store::list(std::optional<Key> root, std::optional<Key> after, size_t limit) const {
  return manager_->list(root, after, limit);
}

Result<uint64_t> Store::set_l1_mode(L1Mode mode) {
  return manager_->set_l1_mode(mode);
}

Result<uint64_t> Store::drain_tier(std::string_view name, Timeout timeout) {
  return manager_->drain_tier(name, timeout);
}
Result<void> Store::resume_tier(std::string_view name) {
  return manager_->resume_tier(name);
}

Result<uint64_t> Store::close(Timeout timeout) {
  return manager_->close(timeout);
}

}  // namespace terrace
