// How a backend makes handles and reads what it put into them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <terrace/store.h>

namespace terrace::surface {

struct Access {
  // `token` is the backend's name for the buffer, above 0.
  static Reservation reservation(std::shared_ptr<Backend> backend, uint64_t token, const Key& key,
                                 std::span<std::byte> bytes) {
    Reservation made;
    made.backend_ = std::move(backend);
    made.token_ = token;
    made.key_ = key;
    made.bytes_ = bytes;
    return made;
  }
  static uint64_t token_of(const Reservation& reservation) { return reservation.token_; }
  static const Backend* backend_of(const Reservation& reservation) { return reservation.backend_.get(); }
  // The reservation holds nothing any more.
  static uint64_t take(Reservation& reservation) {
    reservation.bytes_ = {};
    return std::exchange(reservation.token_, 0);
  }

  // What destroying `held` gives back is kept as long as the handle.
  static Pin pin(std::shared_ptr<void> held) {
    Pin made;
    made.held_ = std::move(held);
    return made;
  }
  static Blocks blocks(std::vector<BlockView> views, std::vector<MissReason> reasons,
                       std::shared_ptr<void> lease) {
    Blocks made;
    made.views_ = std::move(views);
    made.reasons_ = std::move(reasons);
    made.lease_ = std::move(lease);
    return made;
  }
  static const std::shared_ptr<void>& lease_of(const Blocks& blocks) { return blocks.lease_; }

  template <class Operation>
  static Operation running(std::shared_ptr<typename Operation::State> state) {
    Operation made;
    made.state_ = std::move(state);
    return made;
  }
  template <class Operation>
  static const std::shared_ptr<typename Operation::State>& state_of(const Operation& operation) {
    return operation.state_;
  }
};

}  // namespace terrace::surface
