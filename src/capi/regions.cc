// Memory of the caller (S7, R5).
#include "capi/check.h"
#include "capi/handles.h"

namespace terrace::capi {
namespace {

Answer give(const Result<RegionId>& registered, uint64_t* region) {
  if (!registered) return refused(registered.error());
  *region = *registered;
  return {};
}

}  // namespace
}  // namespace terrace::capi

using namespace terrace;
using namespace terrace::capi;

extern "C" {

terrace_code terrace_register_region(terrace_store* store, void* data, uint64_t bytes, uint64_t* region,
                                     terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check().given(store, "store").given(data, "data").given(region, "region");
    if (!ok) return ok;
    return give(store->store->register_region(data, bytes), region);
  });
}

terrace_code terrace_register_shared_region(terrace_store* store, int fd, uint64_t offset, uint64_t bytes,
                                            uint64_t* region, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(store, "store").given(region, "region"); !ok) return ok;
    return give(store->store->register_shared_region(fd, offset, bytes), region);
  });
}

terrace_code terrace_unregister_region(terrace_store* store, uint64_t region, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(store, "store"); !ok) return ok;
    const auto done = store->store->unregister_region(region);
    if (!done) return refused(done.error());
    return {};
  });
}

}  // extern "C"
