// Requests that look up and retrieve.
#include <array>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include "base/hooks.h"
#include "server/session.h"
#include "wire/fields.h"

namespace terrace::server {

std::optional<std::span<const Key>> Session::keys_of(uint64_t id, const wire::Keys* keys) {
  const auto read = lists_.read(keys);
  if (read) return *read;
  refuse(id, read.error());
  last_answer_ = true;  // the client's lists are other than ours from now on
  if (socket_.queued_bytes() == 0)
    boost::asio::post(host_.io(), [self = shared_from_this()] { self->close(); });
  return std::nullopt;
}

bool Session::may_begin(uint64_t id) {
  if (running_.contains(id)) {
    refuse(id, Code::kInvalidArgument, fmt::format("request {} has no answer yet", id));
    return false;
  }
  if (has_too_many_holds(id)) return false;
  if (watch(results_, &Session::take_results)) return true;
  refuse(id, Code::kLimitExceeded, "the server has no descriptor left");
  return false;
}

bool Session::read_options(uint64_t id, uint64_t timeout_ms, int8_t write_back, uint64_t prefetch,
                           GetOptions& options) {
  options.timeout = wire::timeout_of(timeout_ms);
  if (write_back > static_cast<int8_t>(WriteBack::kSecondTouch)) {
    refuse(id, Code::kInvalidArgument, fmt::format("write_back {} is unknown", write_back));
    return false;
  }
  if (write_back >= 0) options.write_back = static_cast<WriteBack>(write_back);
  // One that was released meanwhile has nothing for this request.
  const auto held = holds_.find(prefetch);
  if (held != holds_.end()) options.ticket = std::get_if<PrefetchTicket>(&held->second);
  return true;
}

// --- lookups

void Session::lookup(uint64_t id, const wire::Lookup& request) {
  const auto keys = keys_of(id, request.keys());
  if (!keys) return;
  if (request.pin() && has_too_many_holds(id)) return;
  if (!request.elsewhere()) {
    auto result = store_.lookup(*keys, request.pin(), scope_);
    if (!result) return refuse(id, result.error());
    return found(id, std::move(*result));
  }
  if (!may_begin(id)) return;
  auto operation =
      store_.lookup_async(*keys, wire::timeout_of(request.wait_ms()), {results_.queue, id}, scope_);
  if (!operation) return refuse(id, operation.error());
  running_.emplace(id, std::move(*operation));
}

void Session::found(uint64_t id, LookupResult result) {
  const uint64_t pin = result.pin ? hold(std::move(result.pin)) : 0;
  const auto where = builder_.CreateVector(result.where);
  const auto reasons = builder_.CreateVector(wire::bytes_of(std::span<const MissReason>(result.reasons)));
  send(id, wire::Body::Found,
       wire::CreateFound(builder_, static_cast<uint32_t>(result.found), where, reasons, pin).Union());
}

void Session::lookup_families(uint64_t id, const wire::LookupFamilies& request) {
  const auto families = keys_of(id, request.families());
  if (!families) return;
  FamilyLayout layout;
  if (request.groups() != nullptr) {
    layout.groups.clear();
    for (const wire::FamilyGroup* group : *request.groups())
      layout.groups.push_back({group->shards(), group->window()});
  }
  const auto result = store_.lookup_families(*families, layout, scope_);
  if (!result) return refuse(id, result.error());
  const auto reasons = builder_.CreateVector(wire::bytes_of(std::span<const MissReason>(result->reasons)));
  send(id, wire::Body::Found,
       wire::CreateFound(builder_, static_cast<uint32_t>(result->found), 0, reasons).Union());
}

// --- gets

void Session::get(uint64_t id, const wire::Get& request) {
  const auto keys = keys_of(id, request.keys());
  GetOptions options;
  if (!keys || !may_begin(id) ||
      !read_options(id, request.timeout_ms(), request.write_back(), request.prefetch(), options)) {
    return;
  }
  if (!may_lease()) return delivered_nothing(id, keys->size());
  auto operation = store_.get_async(*keys, options, {results_.queue, id}, scope_);
  if (!operation) return refuse(id, operation.error());
  // What L1 holds is here already; its event finds nothing to do.
  if (auto blocks = operation->take()) return delivered(id, std::move(*blocks));
  running_.emplace(id, std::move(*operation));
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
  const auto reasons = wire::bytes_of(blocks.reasons());
  const uint64_t lease = blocks.size() > 0 ? hold(std::move(blocks)) : 0;
  if (TERRACE_MUTANT("server.forget_lease")) holds_.erase(lease);
  host_.announce_replaced();
  send_ahead(introduced);
  const auto place_list = builder_.CreateVectorOfStructs(list);
  const auto source_list = builder_.CreateVector(sources);
  const auto reason_list = builder_.CreateVector(reasons);
  send(id, wire::Body::Delivered,
       wire::CreateDelivered(builder_, lease, place_list, source_list, reason_list).Union(), introduced);
}

void Session::delivered_nothing(uint64_t id, size_t keys) {
  std::vector<uint8_t> reasons(keys, static_cast<uint8_t>(MissReason::kBehindHole));
  if (keys > 0) reasons[0] = static_cast<uint8_t>(MissReason::kNoRoom);
  const auto places = builder_.CreateVectorOfStructs(std::vector<wire::Place>());
  const auto sources = builder_.CreateVector(std::vector<uint16_t>());
  const auto reason_list = builder_.CreateVector(reasons);
  send(id, wire::Body::Delivered, wire::CreateDelivered(builder_, 0, places, sources, reason_list).Union());
}

void Session::get_into(uint64_t id, const wire::GetInto& request) {
  const auto keys = keys_of(id, request.keys());
  GetOptions options;
  if (!keys || !may_begin(id) ||
      !read_options(id, request.timeout_ms(), request.write_back(), request.prefetch(), options)) {
    return;
  }
  const auto to = slices_of(request.to());
  if (!to) return refuse(id, to.error());
  auto operation = store_.get_into(*keys, *to, options, {results_.queue, id}, scope_);
  if (!operation) return refuse(id, operation.error());
  ++borrowed_;
  running_.emplace(id, RunningInto{std::move(*operation)});
}

void Session::take_results() {
  std::array<Completion, 64> events;
  for (size_t count = 0; (count = results_.queue->poll(events)) > 0;) {
    for (const Completion& event : std::span(events).first(count)) {
      const auto found = running_.find(event.tag);
      if (found == running_.end()) continue;  // answered at once
      if (event.kind == EventKind::kReleased) {
        running_.erase(found);
        --borrowed_;
        send(event.tag, wire::Body::MemoryReleased, wire::CreateMemoryReleased(builder_).Union());
      } else if (!closed_) {
        take_result(event.tag, found->second);
      }
    }
  }
  go_on_reading();
}

// The event may be that of an earlier get of this number, which was answered at once.
void Session::take_result(uint64_t id, Running& running) {
  if (auto* const into = std::get_if<RunningInto>(&running)) {
    if (into->answered || !into->operation.ready()) return;
    into->answered = true;
    const IntoResult result = into->operation.result();
    const auto sources = builder_.CreateVector(result.source);
    const auto reasons = builder_.CreateVector(wire::bytes_of(std::span<const MissReason>(result.reasons)));
    return send(id, wire::Body::DeliveredInto,
                wire::CreateDeliveredInto(builder_, static_cast<uint32_t>(result.delivered), sources, reasons)
                    .Union());
  }
  if (auto* const get = std::get_if<GetOperation>(&running)) {
    auto blocks = get->take();
    if (!blocks) return;
    running_.erase(id);
    return delivered(id, std::move(*blocks));
  }
  auto result = std::get<LookupOperation>(running).take();
  if (!result) return;
  running_.erase(id);
  found(id, std::move(*result));
}

// --- prefetches

void Session::prefetch(uint64_t id, const wire::Prefetch& request) {
  const auto keys = keys_of(id, request.keys());
  GetOptions options;
  if (!keys || has_too_many_holds(id) || !read_options(id, 0, request.write_back(), 0, options)) return;
  if (request.policy() > static_cast<int8_t>(PrefetchPolicy::kTemporary))
    return refuse(id, Code::kInvalidArgument, fmt::format("prefetch policy {} is unknown", request.policy()));
  PrefetchOptions how;
  how.write_back = options.write_back;
  if (request.policy() >= 0) how.policy = static_cast<PrefetchPolicy>(request.policy());
  Notify notify;
  if (request.tag() != 0) {
    if (!watch(forwarded_, &Session::forward_events))
      return refuse(id, Code::kLimitExceeded, "the server has no descriptor left");
    notify = {forwarded_.queue, request.tag()};
  }
  auto ticket = store_.prefetch(*keys, how, notify, scope_);
  if (!ticket) return refuse(id, ticket.error());
  const uint64_t number = hold(std::move(*ticket));
  send(id, wire::Body::Prefetching, wire::CreatePrefetching(builder_, number).Union());
}

void Session::ask_progress(uint64_t id, const wire::AskProgress& request) {
  const auto held = holds_.find(request.prefetch());
  const auto* const ticket = held == holds_.end() ? nullptr : std::get_if<PrefetchTicket>(&held->second);
  if (ticket == nullptr) return refuse(id, Code::kNotFound, "no such prefetch of this session");
  const auto progress = ticket->progress();
  send(id, wire::Body::PrefetchProgress,
       wire::CreatePrefetchProgress(builder_, static_cast<uint32_t>(progress.asked),
                                    static_cast<uint32_t>(progress.arrived),
                                    static_cast<uint32_t>(progress.failed), progress.ended)
           .Union());
}

}  // namespace terrace::server
