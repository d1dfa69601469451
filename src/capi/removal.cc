// Blocks that are to be gone (D1).
#include "capi/check.h"
#include "capi/handles.h"

namespace terrace::capi {
namespace {

Answer give(const Result<uint64_t>& blocks, uint64_t* removed) {
  if (!blocks) return refused(blocks.error());
  if (removed != nullptr) *removed = *blocks;
  return {};
}

Outcome<ClearScope> scope_of(const terrace_clear_scope* given) {
  const auto scope = read_sized(given, "scope");
  if (!scope) return std::unexpected(scope.error());
  const Answer ok = Check().choice(scope->all, 1, "scope.all").choice(scope->erase, 1, "scope.erase");
  if (!ok) return std::unexpected(ok.error());
  if (scope->root == nullptr && scope->tenant_salt == nullptr && scope->all == 0) {
    return failure(Code::kInvalidArgument, "scope names nothing: root, tenant_salt or all has to be given");
  }
  ClearScope what{.all = scope->all == 1, .erase = scope->erase == 1};
  if (scope->root != nullptr) what.root = key_of(*scope->root);
  if (scope->tenant_salt != nullptr) what.tenant_salt = scope->tenant_salt;
  return what;
}

}  // namespace
}  // namespace terrace::capi

using namespace terrace;
using namespace terrace::capi;

extern "C" {

terrace_code terrace_remove(terrace_store* store, const terrace_key* keys, size_t count, bool erase,
                            uint64_t* removed, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(store, "store").batch(keys, count, "keys"); !ok) return ok;
    return give(store->store->remove(keys_of(keys, count), erase), removed);
  });
}

terrace_code terrace_clear(terrace_store* store, const terrace_clear_scope* scope, uint64_t* removed,
                           terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(store, "store").given(scope, "scope"); !ok) return ok;
    const auto what = scope_of(scope);
    if (!what) return std::unexpected(what.error());
    return give(store->store->clear(*what), removed);
  });
}

}  // extern "C"
