#include "client/region_list.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

namespace terrace::client {

Result<uint64_t> RegionList::tell(Connection& connection, const Region& region) const {
  const int fd = region.file.get();
  const auto reply = expect<wire::Registered>(connection.call(
      wire::Body::RegisterRegion,
      [&](Connection::Builder& builder, wire::KeyListWriter&) {
        return wire::CreateRegisterRegion(builder, region.offset, region.bytes).Union();
      },
      base::after(clock_.now(), patience_), std::span(&fd, 1)));
  if (!reply) return std::unexpected(reply.error());
  return reply->as<wire::Registered>()->region();
}

Result<RegionId> RegionList::add(Connection& connection, int fd, uint64_t offset, uint64_t bytes) {
  Region region{io::Descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 0)), offset, bytes, 0, 0};
  if (region.file.get() < 0) return fail(Code::kInvalidArgument, "not a descriptor that can be kept", errno);
  const auto number = tell(connection, region);
  if (!number) return std::unexpected(number.error());
  region.connection = connection.number();
  region.number = *number;
  const base::Lock lock(mutex_);
  regions_.emplace(++last_, std::move(region));
  return last_;
}

Result<void> RegionList::remove(Connection* connection, RegionId region) {
  const base::Lock lock(mutex_);
  const auto found = regions_.find(region);
  if (found == regions_.end()) return fail(Code::kNotFound, "no such region");
  if (connection != nullptr && connection->number() == found->second.connection) {
    const auto reply = connection->call(
        wire::Body::UnregisterRegion,
        [&](Connection::Builder& builder, wire::KeyListWriter&) {
          return wire::CreateUnregisterRegion(builder, found->second.number).Union();
        },
        base::after(clock_.now(), patience_));
    if (!reply && reply.error().code == Code::kBusy) return std::unexpected(reply.error());
  }
  regions_.erase(found);
  return {};
}

Result<std::vector<wire::Slice>> RegionList::slices_on(Connection& connection,
                                                       std::span<const RegionSlice> slices) {
  std::vector<wire::Slice> known;
  known.reserve(slices.size());
  const base::Lock lock(mutex_);
  for (const RegionSlice& slice : slices) {
    const auto found = regions_.find(slice.region);
    if (found == regions_.end()) return fail(Code::kNotFound, "no such region");
    Region& region = found->second;
    if (region.connection != connection.number() || region.number == 0) {
      const auto number = tell(connection, region);
      if (!number) return std::unexpected(number.error());
      region.connection = connection.number();
      region.number = *number;
    }
    known.emplace_back(region.number, slice.offset, slice.bytes);
  }
  return known;
}

}  // namespace terrace::client
