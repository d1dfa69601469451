// What a session is asked, one function a request; docs/protocol.md says what each answers.
#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include "base/log.h"
#include "server/session.h"

namespace terrace::server {

namespace {

constexpr size_t kClientNameMax = 256;
constexpr size_t kHoldsMax = 65536;  // leases and pins of a session
constexpr std::string_view kNoDescriptor = "the server has no descriptor left";
constexpr std::string_view kTooManyHolds = "the session has 65536 leases and pins: release some";

std::optional<std::string> text_of(const flatbuffers::String* text) {
  return text == nullptr ? std::nullopt : std::optional(text->str());
}

template <class T>
std::optional<T> value_of(flatbuffers::Optional<T> value) {
  return value.has_value() ? std::optional<T>(*value) : std::nullopt;
}

// Of milliseconds from outside: what does not fit is as long as can be; 0 is the server's own.
Timeout timeout_of(uint64_t milliseconds) {
  constexpr uint64_t kLongest = 24ull * 3600 * 1000;
  if (milliseconds == 0) return kDefaultTimeout;
  return std::chrono::milliseconds(static_cast<int64_t>(std::min(milliseconds, kLongest)));
}

std::vector<uint8_t> bytes_of(std::span<const MissReason> reasons) {
  std::vector<uint8_t> bytes;
  bytes.reserve(reasons.size());
  for (const MissReason reason : reasons) bytes.push_back(static_cast<uint8_t>(reason));
  return bytes;
}

}  // namespace

void Session::handle(const wire::Message& message) {
  const uint64_t id = message.id();
  if (!greeted_ && message.body_type() != wire::Body::Hello) {
    refuse(id, Code::kInvalidArgument, "the first message is Hello");
    return;
  }
  switch (message.body_type()) {
    case wire::Body::Hello:
      return hello(id, *message.body_as_Hello());
    case wire::Body::OpenNamespace:
      return open_namespace(id, *message.body_as_OpenNamespace());
    case wire::Body::Reserve:
      return reserve(id, *message.body_as_Reserve());
    case wire::Body::Commit:
      return commit(id, *message.body_as_Commit());
    case wire::Body::Abort:
      return abort(*message.body_as_Abort());
    case wire::Body::Lookup:
      return lookup(id, *message.body_as_Lookup());
    case wire::Body::Get:
      return get(id, *message.body_as_Get());
    case wire::Body::Release:
      return release(*message.body_as_Release());
    case wire::Body::Remove:
      return remove(id, *message.body_as_Remove());
    case wire::Body::Clear:
      return clear(id, *message.body_as_Clear());
    case wire::Body::Unmapped:
      return unmapped(*message.body_as_Unmapped());
    default:
      refuse(id, Code::kUnsupported, "this server does not know the request");
  }
}

void Session::hello(uint64_t id, const wire::Hello& request) {
  if (request.major() != wire::kMajor) {
    last_answer_ = true;
    refuse(id, Code::kIncompatible,
           fmt::format("the client speaks version {} of the protocol, the server version {}", request.major(),
                       wire::kMajor));
    if (socket_.queued_bytes() == 0) close();
    return;
  }
  if (std::exchange(greeted_, true)) return refuse(id, Code::kInvalidArgument, "Hello is said once");
  client_ = text_of(request.client()).value_or("").substr(0, kClientNameMax);
  base::log::debug("session {} of process {}: {}", number_, peer_.pid, client_);
  send(id, wire::Body::Welcome,
       wire::CreateWelcome(builder_, wire::kMajor, wire::kMinor, number_,
                           static_cast<uint8_t>(store_.l1_mode()))
           .Union());
}

void Session::unmapped(const wire::Unmapped& request) {
  for (const uint64_t memory : wire::values_of(request.memories())) letting_go_.erase(memory);
}

void Session::open_namespace(uint64_t id, const wire::OpenNamespace& request) {
  Namespace fields;
  fields.model_id = text_of(request.model_id());
  fields.model_fingerprint = text_of(request.model_fingerprint());
  fields.kv_dtype = text_of(request.kv_dtype());
  fields.layout_id = text_of(request.layout_id());
  fields.block_tokens = value_of(request.block_tokens());
  fields.producer = text_of(request.producer());
  fields.producer_version = value_of(request.producer_version());
  fields.adapter = text_of(request.adapter());
  fields.tenant_salt = text_of(request.tenant_salt());
  fields.groups = value_of(request.groups());
  const auto root = store_.open_namespace(fields);
  if (!root) return refuse(id, root.error().error.code, root.error().message);
  send(id, wire::Body::NamespaceRoot, wire::CreateNamespaceRoot(builder_, &wire::wire_key(*root)).Union());
}

// --- storing

void Session::reserve(uint64_t id, const wire::Reserve& request) {
  std::vector<BlockSpec> blocks;
  if (request.blocks() != nullptr) {
    blocks.reserve(request.blocks()->size());
    for (const wire::Block* block : *request.blocks()) {
      blocks.push_back({wire::key_of(block->key()),
                        block->bytes(),
                        wire::key_of(block->family()),
                        {block->group(), block->shard(), block->shards()}});
    }
  }
  const Key root = wire::key_of(request.root()), parent = wire::key_of(request.parent());
  if (request.wait_ms() == 0) return reserved(id, store_.reserve({root, parent, blocks}, number_));
  apart([&store = store_, root, parent, blocks = std::move(blocks), wait = timeout_of(request.wait_ms()),
         number = number_] { return store.reserve_wait({root, parent, blocks}, wait, number); },
        [id](Session& self, Result<std::vector<ReserveAnswer>> answers) {
          self.reserved(id, std::move(answers));
        });
}

void Session::reserved(uint64_t id, Result<std::vector<ReserveAnswer>> answers) {
  if (!answers) return refuse(id, answers.error());
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
    if (!watch(write_queue_, write_events_, &Session::writes_ended))
      return refuse(id, Code::kLimitExceeded, kNoDescriptor);
    notify = {write_queue_, request.tag()};
  }
  std::vector<Reservation> filled;
  filled.reserve(numbers.size());
  for (const uint64_t number : numbers) {
    const auto found = reservations_.find(number);
    if (found == reservations_.end()) continue;  // named twice
    filled.push_back(std::move(found->second));
    reservations_.erase(found);
  }
  const auto done = store_.commit(filled, notify);
  if (!done) return refuse(id, done.error());
  send(id, wire::Body::Done, wire::CreateDone(builder_).Union());
}

void Session::abort(const wire::Abort& request) {
  for (const uint64_t number : wire::values_of(request.reservations())) reservations_.erase(number);
}

void Session::writes_ended() {
  std::array<Completion, 64> events;
  for (size_t count = 0; (count = write_queue_->poll(events)) > 0 && !closed_;) {
    for (const Completion& event : std::span(events).first(count)) {
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

// --- retrieving

void Session::lookup(uint64_t id, const wire::Lookup& request) {
  if (request.pin() && holds_.size() >= kHoldsMax) return refuse(id, Code::kLimitExceeded, kTooManyHolds);
  auto found = store_.lookup(wire::keys_of(request.keys()), request.pin());
  if (!found) return refuse(id, found.error());
  uint64_t pin = 0;
  if (request.pin() && found->found > 0) {
    pin = ++last_hold_;
    holds_.emplace(pin, std::move(found->pin));
  }
  const auto where = builder_.CreateVector(found->where);
  const auto reasons = builder_.CreateVector(bytes_of(found->reasons));
  send(id, wire::Body::Found,
       wire::CreateFound(builder_, static_cast<uint32_t>(found->found), where, reasons, pin).Union());
}

void Session::get(uint64_t id, const wire::Get& request) {
  GetOptions options;
  options.timeout = timeout_of(request.timeout_ms());
  if (request.write_back() > static_cast<int8_t>(WriteBack::kSecondTouch))
    return refuse(id, Code::kInvalidArgument, fmt::format("write_back {} is unknown", request.write_back()));
  if (request.write_back() >= 0) options.write_back = static_cast<WriteBack>(request.write_back());
  if (gets_.contains(id))
    return refuse(id, Code::kInvalidArgument, fmt::format("request {} has no answer yet", id));
  if (holds_.size() >= kHoldsMax) return refuse(id, Code::kLimitExceeded, kTooManyHolds);
  if (!watch(get_queue_, get_events_, &Session::gets_ended))
    return refuse(id, Code::kLimitExceeded, kNoDescriptor);
  auto operation = store_.get_async(wire::keys_of(request.keys()), options, {get_queue_, id});
  if (!operation) return refuse(id, operation.error());
  // What L1 holds is here already; its event finds nothing to do.
  if (auto blocks = operation->take()) return delivered(id, std::move(*blocks));
  gets_.emplace(id, std::move(*operation));
}

void Session::gets_ended() {
  std::array<Completion, 64> events;
  for (size_t count = 0; (count = get_queue_->poll(events)) > 0 && !closed_;) {
    for (const Completion& event : std::span(events).first(count)) {
      const auto running = gets_.find(event.tag);
      if (running == gets_.end()) continue;
      auto blocks = running->second.take();
      if (!blocks) continue;  // an earlier get of this number, answered at once
      gets_.erase(running);
      delivered(event.tag, std::move(*blocks));
    }
  }
  go_on_reading();
}

void Session::delivered(uint64_t id, Blocks blocks) {
  const auto places = store_.places_of(blocks);
  if (!places) return refuse(id, places.error());
  Introduced introduced;
  std::vector<wire::Place> list;
  std::vector<uint16_t> sources;
  list.reserve(places->size());
  for (const auto& [place, memory] : *places) {
    introduce(memory, false, introduced);
    list.emplace_back(place.memory, place.offset, place.bytes);
  }
  for (const BlockView& view : blocks.views()) sources.push_back(view.source);
  const auto reasons = bytes_of(blocks.reasons());
  uint64_t lease = 0;
  if (blocks.size() > 0) {
    lease = ++last_hold_;
    holds_.emplace(lease, std::move(blocks));
  }
  host_.announce_replaced();
  send_ahead(introduced);
  const auto place_list = builder_.CreateVectorOfStructs(list);
  const auto source_list = builder_.CreateVector(sources);
  const auto reason_list = builder_.CreateVector(reasons);
  send(id, wire::Body::Delivered,
       wire::CreateDelivered(builder_, lease, place_list, source_list, reason_list).Union(), introduced);
}

void Session::release(const wire::Release& request) {
  for (const uint64_t hold : wire::values_of(request.holds())) holds_.erase(hold);
}

// --- removing

void Session::remove(uint64_t id, const wire::Remove& request) {
  const auto keys = wire::keys_of(request.keys());
  apart([&store = store_, named = std::vector<Key>(keys.begin(), keys.end()),
         erase = request.erase()] { return store.remove(named, erase); },
        [id](Session& self, const Result<uint64_t>& blocks) { self.removed(id, blocks); });
}

void Session::clear(uint64_t id, const wire::Clear& request) {
  ClearScope scope;
  if (request.root() != nullptr) scope.root = wire::key_of(*request.root());
  scope.tenant_salt = text_of(request.tenant_salt());
  scope.all = request.all();
  scope.erase = request.erase();
  apart([&store = store_, scope] { return store.clear(scope); },
        [id](Session& self, const Result<uint64_t>& blocks) { self.removed(id, blocks); });
}

void Session::removed(uint64_t id, const Result<uint64_t>& blocks) {
  if (!blocks) return refuse(id, blocks.error());
  send(id, wire::Body::Removed, wire::CreateRemoved(builder_, *blocks).Union());
}

template <class Work, class Then>
void Session::apart(Work work, Then then) {
  ++apart_;
  host_.run_apart([self = shared_from_this(), work = std::move(work), then]() mutable {
    auto result = std::make_shared<decltype(work())>(work());
    boost::asio::post(self->host_.io(), [self, result, then] {
      --self->apart_;
      if (self->closed_) return;  // what was reserved is aborted with the result
      then(*self, std::move(*result));
      self->go_on_reading();
    });
  });
}

}  // namespace terrace::server
