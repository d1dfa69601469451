// The store of this process.
#include <terrace/store.h>

#include <new>
#include <system_error>

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

}  // namespace terrace
