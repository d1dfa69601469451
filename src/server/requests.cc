// What a session is asked, one function a request; docs/protocol.md says what each answers.
#include <utility>

#include <fmt/format.h>

#include "base/hooks.h"
#include "base/log.h"
#include "server/apart.h"
#include "server/session.h"
#include "wire/fields.h"

namespace terrace::server {

namespace {

constexpr size_t kClientNameMax = 256;
constexpr size_t kHoldsMax = 65536;  // leases, pins and prefetches of a session

}  // namespace

void Session::handle(wire::Received& received) {
  const wire::Message& message = *received.message;
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
    case wire::Body::Put:
      return put(id, *message.body_as_Put());
    case wire::Body::Lookup:
      return lookup(id, *message.body_as_Lookup());
    case wire::Body::LookupFamilies:
      return lookup_families(id, *message.body_as_LookupFamilies());
    case wire::Body::Get:
      return get(id, *message.body_as_Get());
    case wire::Body::GetInto:
      return get_into(id, *message.body_as_GetInto());
    case wire::Body::Prefetch:
      return prefetch(id, *message.body_as_Prefetch());
    case wire::Body::AskProgress:
      return ask_progress(id, *message.body_as_AskProgress());
    case wire::Body::Cancel:
      return cancel(*message.body_as_Cancel());
    case wire::Body::RegisterRegion:
      return register_region(id, *message.body_as_RegisterRegion(), received);
    case wire::Body::UnregisterRegion:
      return unregister_region(id, *message.body_as_UnregisterRegion());
    case wire::Body::Release:
      return release(*message.body_as_Release());
    case wire::Body::Remove:
      return remove(id, *message.body_as_Remove());
    case wire::Body::Clear:
      return clear(id, *message.body_as_Clear());
    case wire::Body::Unmapped:
      return unmapped(*message.body_as_Unmapped());
    case wire::Body::Sync:
      return sync(id, *message.body_as_Sync());
    case wire::Body::AwaitRecovery:
      return await_recovery(id, *message.body_as_AwaitRecovery());
    case wire::Body::AskStats:
      return send(id, wire::Body::Stats, wire::write_stats(builder_, store_.stats()).Union());
    case wire::Body::Subscribe:
      return subscribe(id);
    default:
      return control(id, message);
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
  if (greeted_) return refuse(id, Code::kInvalidArgument, "Hello is said once");
  std::vector<wire::Key> roots;
  std::vector<Key> bound;
  if (request.namespaces() != nullptr) {
    for (const wire::OpenNamespace* fields : *request.namespaces()) {
      const auto root = store_.open_namespace(wire::namespace_of(*fields));
      if (!root) return refuse(id, root.error());
      roots.push_back(wire::wire_key(*root));
      bound.push_back(*root);
    }
  }
  if (host_.binds_namespaces()) {
    bound_to_ = bound.size();
    scope_ = std::make_shared<const store::Scope>(std::move(bound));
  }
  greeted_ = true;
  client_ = wire::text_of(request.client()).value_or("").substr(0, kClientNameMax);
  base::log::debug("session {} of process {}: {}", number_, peer_.pid, client_);
  const auto root_list = builder_.CreateVectorOfStructs(roots);
  send(id, wire::Body::Welcome,
       wire::CreateWelcome(builder_, wire::kMajor, wire::kMinor, number_,
                           static_cast<uint8_t>(store_.l1_mode()), store_.l1_budget(),
                           wire::milliseconds_of(store_.get_timeout()), root_list)
           .Union());
}

void Session::unmapped(const wire::Unmapped& request) {
  for (const uint64_t memory : wire::values_of(request.memories())) letting_go_.erase(memory);
}

void Session::open_namespace(uint64_t id, const wire::OpenNamespace& request) {
  const Namespace fields = wire::namespace_of(request);
  const auto named = namespace_root(fields);
  if (named && !may_name(id, *named)) return;
  const auto root = store_.open_namespace(fields);
  if (!root) return refuse(id, root.error());
  send(id, wire::Body::NamespaceRoot, wire::CreateNamespaceRoot(builder_, &wire::wire_key(*root)).Union());
}

// --- what a session holds

bool Session::has_too_many_holds(uint64_t id) {
  if (holds_.size() < kHoldsMax) return false;
  refuse(id, Code::kLimitExceeded, "the session has 65536 leases, pins and prefetches: release some");
  return true;
}

void Session::cancel(const wire::Cancel& request) {
  for (const uint64_t id : wire::values_of(request.requests())) {
    const auto found = running_.find(id);
    if (found != running_.end()) std::visit([](auto& running) { running.cancel(); }, found->second);
  }
}

void Session::release(const wire::Release& request) {
  for (const uint64_t hold : wire::values_of(request.holds())) drop_hold(hold);
  for (const uint64_t hold : wire::values_of(request.arrived())) {
    const auto found = holds_.find(hold);
    if (found == holds_.end()) continue;
    if (auto* const ticket = std::get_if<PrefetchTicket>(&found->second)) ticket->release();
  }
}

// --- removing

void Session::remove(uint64_t id, const wire::Remove& request) {
  if (TERRACE_MUTANT("server.remove_answers_early")) removed(id, uint64_t{0});
  const auto keys = wire::keys_of(request.keys());
  apart(
      Host::Waits::kForTheStore,
      [&store = store_, named = std::vector<Key>(keys.begin(), keys.end()), erase = request.erase(),
       scope = scope_] { return store.remove(named, erase, scope); },
      [id](Session& self, const Result<uint64_t>& blocks) { self.removed(id, blocks); });
}

void Session::clear(uint64_t id, const wire::Clear& request) {
  ClearScope scope;
  if (request.root() != nullptr) scope.root = wire::key_of(*request.root());
  scope.tenant_salt = wire::text_of(request.tenant_salt());
  scope.all = request.all();
  scope.erase = request.erase();
  const bool one_root = scope.root && !scope.all && !scope.tenant_salt;
  if (scope_ != nullptr && one_root && !may_name(id, *scope.root)) return;
  if (scope_ != nullptr && !one_root && !may_control(id)) return;
  apart(
      Host::Waits::kForTheStore, [&store = store_, scope] { return store.clear(scope); },
      [id](Session& self, const Result<uint64_t>& blocks) { self.removed(id, blocks); });
}

void Session::removed(uint64_t id, const Result<uint64_t>& blocks) {
  if (!blocks) return refuse(id, blocks.error());
  send(id, wire::Body::Removed, wire::CreateRemoved(builder_, *blocks).Union());
}

// --- waiting

void Session::sync(uint64_t id, const wire::Sync& request) {
  apart(
      Host::Waits::kAsTheClientSays,
      [&store = store_, timeout = wire::timeout_of(request.timeout_ms())] { return store.sync(timeout); },
      [id](Session& self, const Result<void>& done) {
        if (!done) return self.refuse(id, done.error());
        self.send_done(id);
      });
}

void Session::await_recovery(uint64_t id, const wire::AwaitRecovery& request) {
  apart(
      Host::Waits::kAsTheClientSays,
      [&store = store_, timeout = wire::timeout_of(request.timeout_ms())] {
        return store.wait_recovered(timeout);
      },
      [id](Session& self, bool all) {
        self.send(id, wire::Body::Recovered, wire::CreateRecovered(self.builder_, all).Union());
      });
}

}  // namespace terrace::server
