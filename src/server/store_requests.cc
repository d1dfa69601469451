// Requests that store, and the client's own memory.
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "server/apart.h"
#include "server/session.h"
#include "wire/fields.h"

namespace terrace::server {

namespace {

constexpr std::string_view kNoDescriptor = "the server has no descriptor left";
constexpr size_t kRegionsMax = 1024;  // of a session

}  // namespace

void Session::reserve(uint64_t id, const wire::Reserve& request) {
  auto blocks = wire::blocks_of(request.blocks());
  const Key root = wire::key_of(request.root()), parent = wire::key_of(request.parent());
  if (!may_name(id, root)) return;
  const size_t asked = blocks.size();
  blocks.resize(within_limit(blocks));
  if (request.wait_ms() == 0) return reserved(id, asked, store_.reserve({root, parent, blocks}, number_));
  apart(
      Host::Waits::kAsTheClientSays,
      [&store = store_, root, parent, blocks = std::move(blocks), wait = wire::timeout_of(request.wait_ms()),
       number = number_] { return store.reserve_wait({root, parent, blocks}, wait, number); },
      [id, asked](Session& self, Result<std::vector<ReserveAnswer>> answers) {
        self.reserved(id, asked, std::move(answers));
      });
}

void Session::reserved(uint64_t id, size_t asked, Result<std::vector<ReserveAnswer>> answers) {
  if (!answers) return refuse(id, answers.error());
  answers->resize(asked);  // what is beyond the session's limit has no room
  std::vector<uint8_t> outcomes;
  std::vector<wire::Buffer> buffers;
  Introduced introduced;
  outcomes.reserve(answers->size());
  const auto places = store_.places_of(*answers);
  auto next = places.begin();
  for (ReserveAnswer& answer : *answers) {
    outcomes.push_back(static_cast<uint8_t>(answer.outcome));
    if (!answer.reservation) continue;
    const auto& [place, memory] = *next++;
    introduce(memory, true, introduced);
    buffers.emplace_back(++last_reservation_, wire::Place(place.memory, place.offset, place.bytes));
    reserved_bytes_ += answer.reservation.bytes().size();
    reservations_.emplace(last_reservation_, std::move(answer.reservation));
  }
  host_.announce_replaced();
  send_ahead(introduced);
  const auto outcome_list = builder_.CreateVector(outcomes);
  const auto buffer_list = builder_.CreateVectorOfStructs(buffers);
  send(id, wire::Body::Reserved, wire::CreateReserved(builder_, outcome_list, buffer_list).Union(),
       introduced);
}

void Session::commit(uint64_t id, const wire::Commit& request) {
  const auto numbers = wire::values_of(request.reservations());
  for (const uint64_t number : numbers) {  // all or nothing
    if (!reservations_.contains(number))
      return refuse(id, Code::kNotFound, fmt::format("no reservation {} of this session", number));
  }
  Notify notify;
  if (request.tag() != 0) {
    if (!watch(forwarded_, &Session::forward_events)) return refuse(id, Code::kLimitExceeded, kNoDescriptor);
    notify = {forwarded_.queue, request.tag()};
  }
  std::vector<Reservation> filled;
  filled.reserve(numbers.size());
  for (const uint64_t number : numbers) {
    const auto found = reservations_.find(number);
    if (found == reservations_.end()) continue;  // named twice
    reserved_bytes_ -= found->second.bytes().size();
    filled.push_back(std::move(found->second));
    reservations_.erase(found);
  }
  const auto done = store_.commit(filled, notify);
  if (!done) return refuse(id, done.error());
  send_done(id);
}

void Session::abort(const wire::Abort& request) {
  for (const uint64_t number : wire::values_of(request.reservations())) drop_reservation(number);
}

void Session::put(uint64_t id, const wire::Put& request) {
  const Key root = wire::key_of(request.root());
  if (!may_name(id, root)) return;
  const auto blocks = wire::blocks_of(request.blocks());
  const auto from = slices_of(request.from());
  if (!from) return refuse(id, from.error());
  // Always told of: somebody must know when the client's memory is its own again.
  if (!watch(forwarded_, &Session::forward_events)) return refuse(id, Code::kLimitExceeded, kNoDescriptor);
  const auto outcomes =
      store_.put({root, wire::key_of(request.parent()), blocks}, *from, {forwarded_.queue, request.tag()});
  if (!outcomes) return refuse(id, outcomes.error());
  borrowed_ += static_cast<uint64_t>(std::ranges::count(*outcomes, ReserveOutcome::kAccepted));
  const auto list = builder_.CreateVector(wire::bytes_of(std::span<const ReserveOutcome>(*outcomes)));
  send(id, wire::Body::Stored, wire::CreateStored(builder_, list).Union());
}

void Session::forward_events() {
  std::array<Completion, 64> events;
  for (size_t count = 0; (count = forwarded_.queue->poll(events)) > 0;) {
    for (const Completion& event : std::span(events).first(count)) {
      if (event.kind == EventKind::kReleased && borrowed_ > 0) --borrowed_;
      if (event.tag == 0) continue;
      const auto message = event.status == WriteStatus::kFailed ? builder_.CreateString(event.error.what) : 0;
      send(
          0, wire::Body::Event,
          wire::CreateEvent(builder_, event.tag, static_cast<uint8_t>(event.kind),
                            static_cast<uint8_t>(event.status), static_cast<uint8_t>(event.cause), event.tier,
                            &wire::wire_key(event.key), static_cast<uint8_t>(event.error.code), message)
              .Union());
    }
  }
}

// --- regions

void Session::register_region(uint64_t id, const wire::RegisterRegion& request, wire::Received& received) {
  if (received.descriptors.size() != 1)
    return refuse(id, Code::kInvalidArgument, "a region comes with one descriptor");
  if (regions_.size() >= kRegionsMax)
    return refuse(id, Code::kLimitExceeded, "a session registers at most 1024 regions");
  const auto region =
      store_.register_shared_region(received.descriptors[0].get(), request.offset(), request.bytes());
  if (!region) return refuse(id, region.error());
  regions_.insert(*region);
  send(id, wire::Body::Registered, wire::CreateRegistered(builder_, *region).Union());
}

void Session::unregister_region(uint64_t id, const wire::UnregisterRegion& request) {
  if (!regions_.contains(request.region()))
    return refuse(id, Code::kNotFound, "no such region of this session");
  if (const auto done = store_.unregister_region(request.region()); !done) return refuse(id, done.error());
  regions_.erase(request.region());
  send_done(id);
}

Result<std::vector<RegionSlice>> Session::slices_of(
    const flatbuffers::Vector<const wire::Slice*>* slices) const {
  std::vector<RegionSlice> all;
  if (slices == nullptr) return all;
  all.reserve(slices->size());
  for (const wire::Slice* slice : *slices) {
    if (!regions_.contains(slice->region()))
      return fail(Code::kNotFound, "a slice of a region that this session has not registered");
    all.push_back({slice->region(), slice->offset(), slice->bytes()});
  }
  return all;
}

}  // namespace terrace::server
