// What gives blocks to the store: reserve, commit, put.
#include <utility>

#include <fmt/format.h>

#include "capi/check.h"
#include "capi/convert.h"
#include "capi/handles.h"

namespace terrace::capi {
namespace {

Outcome<BlockSpec> spec_of(const terrace_block_spec& given, size_t index) {
  if (given.bytes == 0 || given.bytes > TERRACE_BLOCK_BYTES_MAX) {
    return failure(given.bytes == 0 ? Code::kInvalidArgument : Code::kLimitExceeded,
                   fmt::format("blocks[{}].bytes is {}: 1 to {} are allowed", index, given.bytes,
                               TERRACE_BLOCK_BYTES_MAX));
  }
  if (const Answer ok = Check().choice(given.reserved, 0, "blocks.reserved"); !ok)
    return std::unexpected(ok.error());
  const auto member = member_of(given.member, "blocks.member");
  if (!member) return std::unexpected(member.error());
  return BlockSpec{
      .key = key_of(given.key), .bytes = given.bytes, .family = key_of(given.family), .member = *member};
}

// A request, and the blocks that it names.
struct Request {
  Key root, parent;
  std::vector<BlockSpec> blocks;

  ReserveRequest named() const { return {.root = root, .parent = parent, .blocks = blocks}; }
};

Outcome<Request> request_of(const terrace_reserve_request* given) {
  const auto request = read_sized(given, "request");
  if (!request) return std::unexpected(request.error());
  const Answer ok = Check().batch(request->blocks, request->count, "request.blocks");
  if (!ok) return std::unexpected(ok.error());
  Request made{.root = key_of(request->root), .parent = key_of(request->parent), .blocks = {}};
  made.blocks.reserve(request->count);
  for (size_t i = 0; i < request->count; ++i) {
    auto spec = spec_of(request->blocks[i], i);
    if (!spec) return std::unexpected(spec.error());
    made.blocks.push_back(*spec);
  }
  return made;
}

// Whatever stands where outcomes go is not written before all is known.
using Given = std::vector<std::unique_ptr<terrace_reservation>>;

template <class Ask>
Answer reserve(terrace_store* store, const terrace_reserve_request* given, uint8_t* outcomes,
               terrace_reservation** reservations, const Ask& ask) {
  if (const Answer ok = Check().given(store, "store").given(given, "request"); !ok) return ok;
  const auto request = request_of(given);
  if (!request) return std::unexpected(request.error());
  const size_t count = request->blocks.size();
  const Answer ok = Check().list(outcomes, count, "outcomes").list(reservations, count, "reservations");
  if (!ok) return ok;
  auto answers = ask(*store->store, request->named());
  if (!answers) return refused(answers.error());
  Given handles(count);
  for (size_t i = 0; i < count; ++i) {
    Reservation& reservation = (*answers)[i].reservation;
    if (reservation) handles[i] = std::make_unique<terrace_reservation>(store->store, std::move(reservation));
  }
  for (size_t i = 0; i < count; ++i) {
    outcomes[i] = static_cast<uint8_t>((*answers)[i].outcome);
    reservations[i] = handles[i].release();
  }
  return {};
}

// Reservations on their way into a commit. What it did not take is back in its handle at the end.
class Taken {
 public:
  explicit Taken(std::span<terrace_reservation*> handles) : handles_(handles) {
    reservations_.resize(handles.size());
  }
  ~Taken() {
    for (size_t i = 0; i < reservations_.size(); ++i) {
      if (reservations_[i]) {
        handles_[i]->reservation = std::move(reservations_[i]);
      } else if (committed_) {
        delete std::exchange(handles_[i], nullptr);
      }
    }
  }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;

  Answer take() {
    for (size_t i = 0; i < handles_.size(); ++i) {
      if (handles_[i] == nullptr) continue;
      if (!handles_[i]->reservation) {
        return failure(Code::kInvalidArgument,
                       fmt::format("reservations[{}] is named twice: once is allowed", i));
      }
      reservations_[i] = std::move(handles_[i]->reservation);
    }
    return {};
  }
  Answer commit(Store& store, const Notify& notify) {
    committed_ = true;
    const auto done = store.commit(reservations_, notify);
    if (!done) return refused(done.error());
    return {};
  }

 private:
  std::span<terrace_reservation*> handles_;
  std::vector<Reservation> reservations_;  // of each handle
  bool committed_ = false;
};

}  // namespace
}  // namespace terrace::capi

using namespace terrace;
using namespace terrace::capi;

extern "C" {

terrace_code terrace_reserve(terrace_store* store, const terrace_reserve_request* request, uint8_t* outcomes,
                             terrace_reservation** reservations, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    return reserve(store, request, outcomes, reservations,
                   [](Store& asked, const ReserveRequest& named) { return asked.reserve(named); });
  });
}

terrace_code terrace_reserve_wait(terrace_store* store, const terrace_reserve_request* request,
                                  int64_t timeout_ns, uint8_t* outcomes, terrace_reservation** reservations,
                                  terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().timeout(timeout_ns); !ok) return ok;
    return reserve(store, request, outcomes, reservations,
                   [timeout_ns](Store& asked, const ReserveRequest& named) {
                     return asked.reserve_wait(named, Timeout(timeout_ns));
                   });
  });
}

void* terrace_reservation_buffer(const terrace_reservation* reservation, uint64_t* bytes) {
  const auto buffer = reservation == nullptr ? std::span<std::byte>() : reservation->reservation.bytes();
  if (bytes != nullptr) *bytes = buffer.size();
  return buffer.data();
}

void terrace_reservation_abort(terrace_reservation* reservation) {
  end(reservation);
}

terrace_code terrace_commit(terrace_store* store, terrace_reservation** reservations, size_t count,
                            terrace_queue* queue, uint64_t tag, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check().given(store, "store").batch(reservations, count, "reservations");
    if (!ok) return ok;
    const auto notify = notify_of(*store, queue, tag);
    if (!notify) return std::unexpected(notify.error());
    Taken taken({reservations, count});
    if (const Answer all = taken.take(); !all) return all;
    return taken.commit(*store->store, *notify);
  });
}

terrace_code terrace_put(terrace_store* store, const terrace_reserve_request* given,
                         const terrace_slice* from, uint8_t* outcomes, terrace_queue* queue, uint64_t tag,
                         terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(store, "store").given(given, "request"); !ok) return ok;
    const auto request = request_of(given);
    if (!request) return std::unexpected(request.error());
    const size_t count = request->blocks.size();
    if (const Answer ok = Check().list(from, count, "from").list(outcomes, count, "outcomes"); !ok) return ok;
    const auto notify = notify_of(*store, queue, tag);
    if (!notify) return std::unexpected(notify.error());
    const auto answers = store->store->put(request->named(), slices_of(from, count), *notify);
    if (!answers) return refused(answers.error());
    for (size_t i = 0; i < count; ++i) outcomes[i] = static_cast<uint8_t>((*answers)[i]);
    return {};
  });
}

}  // extern "C"
