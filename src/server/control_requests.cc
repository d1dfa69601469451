// What is stored and who uses it, and what only whoever runs the server may change.
#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "server/apart.h"
#include "server/session.h"
#include "wire/control_fields.h"
#include "wire/fields.h"

namespace terrace::server {

void Session::control(uint64_t id, const wire::Message& message) {
  switch (message.body_type()) {
    case wire::Body::AskNamespaces:
      return ask_namespaces(id);
    case wire::Body::List:
      return list(id, *message.body_as_List());
    case wire::Body::AskWhy:
      return ask_why(id, *message.body_as_AskWhy());
    case wire::Body::SetQuota:
      return set_quota(id, *message.body_as_SetQuota());
    case wire::Body::AskTenants:
      return ask_tenants(id);
    case wire::Body::SetMode:
      return set_mode(id, *message.body_as_SetMode());
    case wire::Body::DrainTier:
      return drain_tier(id, *message.body_as_DrainTier());
    case wire::Body::ResumeTier:
      return resume_tier(id, *message.body_as_ResumeTier());
    case wire::Body::AskSessions:
      return ask_sessions(id);
    case wire::Body::SetLimits:
      return set_limits(id, *message.body_as_SetLimits());
    default:
      refuse(id, Code::kUnsupported, "this server does not know the request");
  }
}

bool Session::may_control() const {
  return peer_.uid == ::geteuid() && (scope_ == nullptr || bound_to_ == 0);
}

bool Session::may_control(uint64_t id) {
  if (may_control()) return true;
  refuse(id, Code::kPermission,
         peer_.uid == ::geteuid()
             ? "the session is bound to namespaces"
             : fmt::format("only user {} may do that, not user {}", ::geteuid(), peer_.uid));
  return false;
}

bool Session::may_see(const Key& root) const {
  return may_control() || store::covers(scope_.get(), root);
}

bool Session::may_name(uint64_t id, const Key& root) {
  if (store::covers(scope_.get(), root)) return true;
  refuse(id, Code::kPermission, "the session is bound to other namespaces");
  return false;
}

void Session::amount(uint64_t id, const Result<uint64_t>& result) {
  if (!result) return refuse(id, result.error());
  send(id, wire::Body::Amount, wire::CreateAmount(builder_, *result).Union());
}

void Session::set_quota(uint64_t id, const wire::SetQuota& request) {
  if (!may_control(id)) return;
  amount(id, store_.set_quota(wire::text_of(request.tenant()).value_or(""), wire::quota_of(request)));
}

void Session::set_mode(uint64_t id, const wire::SetMode& request) {
  if (!may_control(id)) return;
  if (request.mode() > static_cast<uint8_t>(L1Mode::kOff))
    return refuse(id, Code::kInvalidArgument, fmt::format("mode {} is unknown", request.mode()));
  amount(id, store_.set_l1_mode(static_cast<L1Mode>(request.mode())));
}

void Session::drain_tier(uint64_t id, const wire::DrainTier& request) {
  if (!may_control(id)) return;
  apart(
      Host::Waits::kAsTheClientSays,
      [&store = store_, name = wire::text_of(request.tier()).value_or(""),
       timeout = wire::timeout_of(request.timeout_ms())] { return store.drain_tier(name, timeout); },
      [id](Session& self, const Result<uint64_t>& running) { self.amount(id, running); });
}

void Session::resume_tier(uint64_t id, const wire::ResumeTier& request) {
  if (!may_control(id)) return;
  const auto done = store_.resume_tier(wire::text_of(request.tier()).value_or(""));
  if (!done) return refuse(id, done.error());
  send_done(id);
}

void Session::ask_tenants(uint64_t id) {
  if (!may_control(id)) return;
  send(id, wire::Body::Tenants, wire::write_tenants(builder_, store_.tenants()).Union());
}

void Session::set_limits(uint64_t id, const wire::SetLimits& request) {
  if (!may_control(id)) return;
  host_.limit_sessions({request.reserved_bytes(), request.leased_bytes()});
  send_done(id);
}

void Session::ask_sessions(uint64_t id) {
  if (!may_control(id)) return;
  const SessionReport report{host_.limits(), host_.sessions()};
  send(id, wire::Body::Sessions, wire::write_sessions(builder_, report).Union());
}

void Session::ask_namespaces(uint64_t id) {
  auto namespaces = store_.namespaces();
  const auto hidden = [this](const StoredNamespace& known) { return !may_see(known.root); };
  std::erase_if(namespaces, hidden);
  send(id, wire::Body::Namespaces, wire::write_namespaces(builder_, namespaces).Union());
}

void Session::list(uint64_t id, const wire::List& request) {
  std::optional<Key> root, after;
  if (request.root() != nullptr) root = wire::key_of(*request.root());
  if (request.after() != nullptr) after = wire::key_of(*request.after());
  if (!may_see(root.value_or(Key{})))
    return refuse(id, Code::kPermission, "the session may list its own namespaces, one at a time");
  const size_t limit = std::min<size_t>(request.limit(), kBatchMax);
  apart(
      Host::Waits::kForTheStore,
      [&store = store_, root, after, limit] { return store.list(root, after, limit); },
      [id](Session& self, const std::vector<StoredBlock>& blocks) {
        self.send(id, wire::Body::StoredBlocks, wire::write_stored(self.builder_, blocks).Union());
      });
}

void Session::ask_why(uint64_t id, const wire::AskWhy& request) {
  KeyStory story = store_.why(wire::key_of(request.key()));
  if (!may_see(story.root.value_or(Key{}))) {
    story = {};
    story.reason = MissReason::kUnknown;
  }
  send(id, wire::Body::Story, wire::write_story(builder_, story).Union());
}

}  // namespace terrace::server
