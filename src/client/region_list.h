// Memory of the caller that the server maps too, by its descriptor. A region has one number here and another
// on each connection: a new one is told of it when it is first needed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include <terrace/store.h>

#include "base/mutex.h"
#include "client/connection.h"
#include "io/descriptor.h"

namespace terrace::client {

class RegionList {
 public:
  RegionList(base::Clock& clock, Timeout patience) : clock_(clock), patience_(patience) {}

  // Registers with the server at once, to learn what it refuses. Errors: as
  // terrace::Store::register_shared_region.
  Result<RegionId> add(Connection& connection, int fd, uint64_t offset, uint64_t bytes)
      TERRACE_EXCLUDES(mutex_);
  Result<void> remove(Connection* connection, RegionId region) TERRACE_EXCLUDES(mutex_);
  // As the server knows them. Errors: kNotFound; what the server refuses.
  Result<std::vector<wire::Slice>> slices_on(Connection& connection, std::span<const RegionSlice> slices)
      TERRACE_EXCLUDES(mutex_);

 private:
  struct Region {
    io::Descriptor file;
    uint64_t offset, bytes;
    uint64_t connection;  // that it was registered on last; 0: none
    uint64_t number;      // there
  };
  Result<uint64_t> tell(Connection& connection, const Region& region) const;

  base::Clock& clock_;
  const Timeout patience_;
  base::Mutex mutex_;
  std::map<RegionId, Region> regions_ TERRACE_GUARDED_BY(mutex_);
  RegionId last_ TERRACE_GUARDED_BY(mutex_) = 0;
};

}  // namespace terrace::client
